package dev.sluice.compute;

/// A backend that was chosen does not do what it was chosen for: its kernels did not run, or what they should have written is not
/// there. Trying again on the same machine gives the same.
public final class BackendFaultException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public BackendFaultException(String backend, String fault) {
        super("backend " + backend + ": " + fault + "; take another backend by name and report this one");
    }
}
