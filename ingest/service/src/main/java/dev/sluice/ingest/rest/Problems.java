package dev.sluice.ingest.rest;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.sluice.contracts.wire.InvalidFieldsException;
import jakarta.ws.rs.WebApplicationException;
import jakarta.ws.rs.core.Response;
import org.apache.kafka.common.KafkaException;
import org.jboss.logging.Logger;
import org.jboss.resteasy.reactive.server.ServerExceptionMapper;

/// Every failure as a problem document; none as a stack trace.
class Problems {

    private static final Logger LOG = Logger.getLogger(Problems.class);

    @ServerExceptionMapper
    Response problem(ProblemException e) {
        Response.ResponseBuilder response = builder(e.problem());
        return (e.retryAfterSeconds() > 0 ? response.header("Retry-After", e.retryAfterSeconds()) : response).build();
    }

    @ServerExceptionMapper
    Response wrongFields(InvalidFieldsException e) {
        return builder(new Problem("about:blank", "Wrong fields", 400, "Mend the fields listed in 'errors' and send the request again.", e.errors())).build();
    }

    @ServerExceptionMapper
    Response wrongJson(JsonProcessingException e) {
        return builder(Problem.of(400, "Not JSON", "The body is not one JSON object: " + e.getOriginalMessage())).build();
    }

    @ServerExceptionMapper
    Response http(WebApplicationException e) {
        Response.StatusType status = e.getResponse().getStatusInfo();
        return builder(Problem.of(status.getStatusCode(), status.getReasonPhrase(), String.valueOf(e.getMessage()))).build();
    }

    @ServerExceptionMapper
    Response broker(KafkaException e) {
        LOG.warn(e.getMessage(), e);
        return builder(Problem.of(503, "Broker trouble", "Kafka did not do it: " + e.getMessage() + ". Try again; see /q/health/ready.")).build();
    }

    @ServerExceptionMapper
    Response unexpected(RuntimeException e) {
        LOG.error("request failed", e);
        return builder(Problem.of(500, "Internal error", "A fault of the service; its log has more.")).build();
    }

    private static Response.ResponseBuilder builder(Problem problem) {
        return Response.status(problem.status()).type(Problem.MEDIA_TYPE).entity(problem);
    }
}
