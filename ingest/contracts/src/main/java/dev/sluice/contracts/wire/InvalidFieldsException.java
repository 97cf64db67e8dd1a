package dev.sluice.contracts.wire;

import java.util.List;
import java.util.stream.Collectors;

/// A request with wrong fields: all of them at once, so that the user mends them in one go.
public final class InvalidFieldsException extends IllegalArgumentException {

    private final transient List<FieldError> errors;

    public InvalidFieldsException(List<FieldError> errors) {
        super(errors.stream().map(FieldError::toString).collect(Collectors.joining("; ")));
        this.errors = List.copyOf(errors);
    }

    public List<FieldError> errors() {
        return errors;
    }
}
