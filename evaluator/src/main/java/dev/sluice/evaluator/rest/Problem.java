package dev.sluice.evaluator.rest;

import jakarta.ws.rs.WebApplicationException;
import jakarta.ws.rs.core.Response;

/// An error as RFC 9457 has it.
///
/// @param title what went wrong, the same for every case
/// @param status HTTP status
/// @param detail what was found here, and the way out
record Problem(String type, String title, int status, String detail) {

    private static final String MEDIA_TYPE = "application/problem+json";

    static Problem of(int status, String title, String detail) {
        return new Problem("about:blank", title, status, detail);
    }

    Response response() {
        return Response.status(status).type(MEDIA_TYPE).entity(this).build();
    }

    WebApplicationException exception() {
        return new WebApplicationException(detail, response());
    }
}
