package dev.sluice.evaluator.rest;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.sluice.contracts.log.FencedException;
import jakarta.ws.rs.core.Response;
import org.apache.kafka.common.KafkaException;
import org.jboss.logging.Logger;
import org.jboss.resteasy.reactive.server.ServerExceptionMapper;

/// Failures as problem documents; none as a stack trace.
class Problems {

    private static final Logger LOG = Logger.getLogger(Problems.class);

    @ServerExceptionMapper
    Response wrongJson(JsonProcessingException e) {
        return Problem.of(400, "Not JSON", "The body is not one JSON object: " + e.getOriginalMessage()).response();
    }

    @ServerExceptionMapper
    Response fenced(FencedException e) {
        return Problem.of(503, "Not the evaluator any more", "Another evaluator has taken over: " + e.getMessage() + ". Ask that one.").response();
    }

    @ServerExceptionMapper
    Response broker(KafkaException e) {
        LOG.warn(e.getMessage());
        return Problem.of(503, "Broker trouble", "Kafka did not do it: " + e.getMessage() + ". Try again; see /q/health/ready.").response();
    }
}
