package dev.sluice.trainer.observe;

import dev.sluice.contracts.job.JobPhase;
import dev.sluice.contracts.job.JobState;
import dev.sluice.trainer.ownership.JobTable;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import dev.sluice.contracts.wire.Json;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/// `GET /status`: who this trainer is, what it does, how long the queue is.
@Path("/status")
public class StatusResource {

    private final TrainerView trainer;

    StatusResource(TrainerView trainer) {
        this.trainer = trainer;
    }

    /// @param current the job that runs now, absent when idle
    /// @param jobs how many jobs stand in each phase
    record Status(String owner, JobState current, Map<JobPhase, Long> jobs) {}

    @GET
    @Produces(MediaType.APPLICATION_JSON)
    public byte[] status() {
        return Json.write(new Status(trainer.owner(), trainer.current().orElse(null), trainer.jobs().map(StatusResource::count).orElse(Map.of())));
    }

    private static Map<JobPhase, Long> count(JobTable table) {
        return Arrays.stream(JobPhase.values()).filter(phase -> table.count(phase) > 0)
                .collect(Collectors.toMap(phase -> phase, table::count, Long::sum, TreeMap::new));
    }
}
