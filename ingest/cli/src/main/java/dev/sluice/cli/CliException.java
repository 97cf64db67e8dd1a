package dev.sluice.cli;

/// Something the user can mend: shown as one line on standard error, without a stack trace.
public final class CliException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private final ExitCode code;

    public CliException(ExitCode code, String message) {
        super(message);
        this.code = code;
    }

    public CliException(ExitCode code, String message, Throwable cause) {
        super(message, cause);
        this.code = code;
    }

    public ExitCode code() {
        return code;
    }
}
