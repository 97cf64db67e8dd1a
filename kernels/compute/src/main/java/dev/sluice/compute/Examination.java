package dev.sluice.compute;

import dev.sluice.compute.BackendDecision.Check;
import dev.sluice.compute.probe.CorrectnessProbe;
import java.util.List;
import java.util.Locale;

/// Looks whether backends can run here and compute right. What goes wrong is a reason, never an exception.
final class Examination implements AutoCloseable {
    private final BackendProvider referenceProvider;
    private Backend reference;
    private String noReference;

    /// @param referenceProvider whose results are right, or null
    /// @param wanted whether backends are compared with it
    Examination(BackendProvider referenceProvider, boolean wanted) {
        this.referenceProvider = referenceProvider;
        this.noReference = !wanted ? "nobody asked for it" : referenceProvider == null ? "none is installed" : null;
    }

    /// What came of one backend.
    sealed interface Result {
        /// It is open, and the caller's to close.
        record Fit(BackendProvider provider, Backend backend, String reason, List<Check> checks) implements Result {}

        record Unfit(String name, String reason, List<Check> checks) implements Result {}
    }

    /// Whether it says that it can run.
    static Availability probe(BackendProvider provider) {
        try {
            return provider.probe();
        } catch (RuntimeException | LinkageError e) {
            return new Availability.Unavailable("looking for it failed: " + e);
        }
    }

    Result of(BackendProvider provider) {
        return switch (probe(provider)) {
            case Availability.Unavailable(var reason) -> new Result.Unfit(provider.name(), reason, List.of());
            case Availability.Available(var description) -> open(provider, description);
        };
    }

    private Result open(BackendProvider provider, String description) {
        Backend backend;
        try {
            backend = provider.open();
        } catch (RuntimeException | LinkageError e) {
            return new Result.Unfit(provider.name(), description + ": it does not open: " + e, List.of());
        }
        if (provider == referenceProvider) {
            return new Result.Fit(provider, backend, description, List.of());
        }
        Result result = compare(provider, backend, description);
        if (result instanceof Result.Unfit) {
            closeQuietly(backend);
        }
        return result;
    }

    private Result compare(BackendProvider provider, Backend backend, String description) {
        if (!hasReference()) {
            return new Result.Fit(provider, backend, description + "; not compared with the reference: " + noReference, List.of());
        }
        try {
            List<Check> checks = CorrectnessProbe.compare(reference, backend);
            return checks.stream().filter(check -> !check.right()).findFirst()
                    .<Result>map(wrong -> new Result.Unfit(provider.name(), description + ": " + describe(wrong), checks))
                    .orElseGet(() -> new Result.Fit(provider, backend, description, checks));
        } catch (RuntimeException | LinkageError e) {
            return new Result.Unfit(provider.name(), description + ": it fails at a small case: " + e.getMessage(), List.of());
        }
    }

    private boolean hasReference() {
        if (reference == null && noReference == null) {
            noReference = openReference();
        }
        return reference != null;
    }

    /// Returns why it could not be opened, or null.
    private String openReference() {
        if (probe(referenceProvider) instanceof Availability.Unavailable(var reason)) {
            return reason;
        }
        try {
            reference = referenceProvider.open();
            return null;
        } catch (RuntimeException | LinkageError e) {
            return e.toString();
        }
    }

    private static String describe(Check wrong) {
        return wrong.error() == Double.POSITIVE_INFINITY
                ? "it computes wrong: " + wrong.operation() + " leaves " + wrong.output() + " unwritten or not a number"
                : String.format(Locale.ROOT, "it computes wrong: %s of %s is off by %.3g, the bound is %.3g", wrong.output(), wrong.operation(),
                        wrong.error(), wrong.bound());
    }

    /// A device that failed may fail again when it is given back.
    static void closeQuietly(Backend backend) {
        try {
            backend.close();
        } catch (RuntimeException | LinkageError e) {
            System.getLogger(Examination.class.getName()).log(System.Logger.Level.WARNING, "closing {0}: {1}", backend.name(), e.toString());
        }
    }

    @Override
    public void close() {
        if (reference != null) {
            closeQuietly(reference);
        }
    }
}
