package dev.sluice.contracts.wire;

import java.util.ArrayList;
import java.util.List;

/// Collects the wrong fields of one object; [#verify] throws when there are any.
public final class FieldChecks {

    private final List<FieldError> errors = new ArrayList<>();

    public FieldChecks require(boolean right, String field, String wanted, Object found) {
        if (!right) {
            errors.add(new FieldError(field, "must be " + wanted + ", was " + (found == null ? "absent" : found)));
        }
        return this;
    }

    public FieldChecks refuse(boolean wrong, String field, String message) {
        if (wrong) {
            errors.add(new FieldError(field, message));
        }
        return this;
    }

    public FieldChecks atLeast(long value, long least, String field) {
        return require(value >= least, field, "at least " + least, value);
    }

    /// `value >= 0` and finite.
    public FieldChecks notNegative(double value, String field) {
        return require(value >= 0 && Double.isFinite(value), field, "a number of at least 0", value);
    }

    public FieldChecks present(Object value, String field) {
        return require(value != null, field, "given", value);
    }

    public FieldChecks id(String value, String field) {
        try {
            Check.id(value, field);
        } catch (IllegalArgumentException e) {
            errors.add(new FieldError(field, e.getMessage().substring(field.length() + 1)));
        }
        return this;
    }

    public void verify() {
        if (!errors.isEmpty()) {
            throw new InvalidFieldsException(errors);
        }
    }
}
