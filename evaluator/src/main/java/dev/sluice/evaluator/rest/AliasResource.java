package dev.sluice.evaluator.rest;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.sluice.contracts.wire.Json;
import dev.sluice.evaluator.EvaluatorService;
import dev.sluice.evaluator.Rollback;
import dev.sluice.evaluator.Session;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import org.jboss.resteasy.reactive.RestPath;

/// Moves champions by hand.
@Path("aliases/{alias}")
@Produces(MediaType.APPLICATION_JSON)
class AliasResource {

    private final EvaluatorService service;

    AliasResource(EvaluatorService service) {
        this.service = service;
    }

    /// The body of a rollback, a JSON object; all of it is optional, the body itself too.
    ///
    /// @param expectedVersion the alias must still be at this version
    /// @param requestedBy who asks, written into the decision; `rest` where nobody says
    /// @param reason why, written into the decision
    record RollbackRequest(Long expectedVersion, String requestedBy, String reason) {}

    @POST
    @Path("rollback")
    @Consumes(MediaType.WILDCARD)
    public Response rollback(@RestPath String alias, String body) throws InterruptedException, JsonProcessingException {
        Session session = service.session().orElseThrow(() -> Problem.of(503, "Starting",
                "The evaluator has not read the log yet. Try again; see /q/health/ready.").exception());
        RollbackRequest request = body == null || body.isBlank() ? new RollbackRequest(null, null, null)
                : Json.mapper().readValue(body, RollbackRequest.class);
        String actor = request.requestedBy() == null || request.requestedBy().isBlank() ? "rest" : request.requestedBy();
        return switch (session.rollback(alias, request.expectedVersion(), actor, request.reason())) {
            case Rollback.Done(var promotion) -> Response.ok(promotion).build();
            case Rollback.UnknownAlias() -> Problem.of(404, "No such alias",
                    "Nothing has been decided about alias " + alias + ". GET /promotions lists the aliases.").response();
            case Rollback.NothingBefore() -> Problem.of(409, "Nothing to roll back to",
                    "Alias " + alias + " has had no other champion. GET /promotions shows where it stands.").response();
            case Rollback.Changed(var version) -> Problem.of(409, "Alias has changed",
                    "Alias " + alias + " is at version " + version + " now. Look at GET /promotions and ask again.").response();
        };
    }
}
