package dev.sluice.ingest.rest;

import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.evaluation.Promotion;
import dev.sluice.contracts.evaluation.Score;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import java.util.Comparator;
import java.util.List;

/// What the other services made, newest first.
@Path("/")
@Produces(MediaType.APPLICATION_JSON)
class RegistryResource {

    private final Running running;

    RegistryResource(Running running) {
        this.running = running;
    }

    @GET
    @Path("adapters")
    public List<AdapterPublished> adapters() {
        return running.parts().adapters().stream().sorted(Comparator.comparing(AdapterPublished::publishedAt).reversed()).toList();
    }

    @GET
    @Path("scores")
    public List<Score> scores() {
        return running.parts().scores().stream().sorted(Comparator.comparing(Score::scoredAt).reversed()).toList();
    }

    @GET
    @Path("promotions")
    public List<Promotion> promotions() {
        return running.parts().promotions().stream().sorted(Comparator.comparing(Promotion::decidedAt).reversed()).toList();
    }
}
