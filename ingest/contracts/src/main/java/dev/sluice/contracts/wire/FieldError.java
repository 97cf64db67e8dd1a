package dev.sluice.contracts.wire;

/// One wrong field of a request.
///
/// @param field path in the JSON, for example `training.learning_rate`
/// @param message what was wanted and what was found
public record FieldError(String field, String message) {
    public FieldError within(String parent) {
        return new FieldError(field.isEmpty() ? parent : parent + "." + field, message);
    }

    @Override
    public String toString() {
        return field + " " + message;
    }
}
