package dev.sluice.ingest.rest;

import dev.sluice.contracts.wire.FieldError;
import java.util.List;

/// An error as RFC 9457 has it.
///
/// @param title what went wrong, the same for every case
/// @param status HTTP status
/// @param detail what was found here, and the way out
/// @param errors wrong fields, or null
record Problem(String type, String title, int status, String detail, List<FieldError> errors) {

    static final String MEDIA_TYPE = "application/problem+json";

    static Problem of(int status, String title, String detail) {
        return new Problem("about:blank", title, status, detail, null);
    }
}
