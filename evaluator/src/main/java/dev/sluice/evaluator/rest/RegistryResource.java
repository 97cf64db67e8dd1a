package dev.sluice.evaluator.rest;

import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.evaluation.Promotion;
import dev.sluice.contracts.evaluation.Score;
import dev.sluice.evaluator.EvaluatorService;
import dev.sluice.evaluator.Session;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/// Scores and decisions, newest first, and what the evaluator is at.
@Path("/")
@Produces(MediaType.APPLICATION_JSON)
class RegistryResource {

    private final EvaluatorService service;

    RegistryResource(EvaluatorService service) {
        this.service = service;
    }

    /// @param state of the evaluator's thread
    /// @param waiting adapters that wait for their score, oldest first
    /// @param waitingFor what those wait for that were tried in vain so far
    /// @param unscored adapters that got none, with the reason
    /// @param retraining per alias, what the retraining rule last said
    record Status(String state, List<String> waiting, Map<String, String> waitingFor, Map<String, String> unscored, Map<String, String> retraining) {}

    @GET
    @Path("scores")
    public List<Score> scores() {
        return session().views().scores().values().stream().filter(Score.class::isInstance).map(Score.class::cast)
                .sorted(Comparator.comparing(Score::scoredAt).reversed()).toList();
    }

    @GET
    @Path("promotions")
    public List<Promotion> promotions() {
        return session().views().promotions().values().stream().sorted(Comparator.comparing(Promotion::decidedAt).reversed()).toList();
    }

    @GET
    @Path("status")
    public Status status() {
        return service.session().map(session -> new Status(service.life().state().name(),
                session.queue().waiting().stream().map(AdapterPublished::adapterId).toList(), session.queue().waitingFor(),
                session.queue().unscored(), session.retraining().latest()))
                .orElseGet(() -> new Status(service.life().state().name(), List.of(), Map.of(), Map.of(), Map.of()));
    }

    private Session session() {
        return service.session().orElseThrow(() -> Problem.of(503, "Starting",
                "The evaluator has not read the log yet. Try again; see /q/health/ready.").exception());
    }
}
