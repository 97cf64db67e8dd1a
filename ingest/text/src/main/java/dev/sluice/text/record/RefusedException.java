package dev.sluice.text.record;

/// Carries a refusal out of the depths of parsing; never leaves this package.
final class RefusedException extends RuntimeException {

    private final transient Refusal code;

    RefusedException(Refusal code, String reason) {
        super(reason, null, false, false);
        this.code = code;
    }

    Outcome.Refused outcome() {
        return new Outcome.Refused(code, getMessage());
    }
}
