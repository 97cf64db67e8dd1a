package dev.sluice.text.mask;

/// Carries a refusal out of the depths of encoding; never leaves this package.
final class RefusedRowException extends RuntimeException {

    private final transient RowOutcome.Code code;

    RefusedRowException(RowOutcome.Code code, String reason) {
        super(reason, null, false, false);
        this.code = code;
    }

    RowOutcome.Refused outcome() {
        return new RowOutcome.Refused(code, getMessage());
    }
}
