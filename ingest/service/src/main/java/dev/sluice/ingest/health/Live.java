package dev.sluice.ingest.health;

import dev.sluice.ingest.Parts;
import dev.sluice.ingest.Pipeline;
import dev.sluice.ingest.worker.Worker;
import dev.sluice.ingest.worker.WorkerState;
import java.time.Duration;
import java.util.List;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Liveness;

/// Down when a restart would help: a thread that hangs, has died, or was fenced. A broker that is away does not count.
@Liveness
class Live implements HealthCheck {

    /// The records thread and the door move ten times a second; a commit may wait for the broker as long as this.
    private static final Duration HANGS = Duration.ofMinutes(5);

    private final Pipeline pipeline;

    Live(Pipeline pipeline) {
        this.pipeline = pipeline;
    }

    @Override
    public HealthCheckResponse call() {
        var response = HealthCheckResponse.named("threads");
        boolean up = true;
        for (Worker worker : pipeline.parts().map(Parts::workers).orElse(List.of())) {
            response.withData(worker.name(), worker.state().name());
            up &= isLive(worker);
        }
        return response.status(up).build();
    }

    private static boolean isLive(Worker worker) {
        boolean mayTakeLong = worker.name().equals("job-preparation");
        return worker.state() != WorkerState.FENCED && (mayTakeLong || worker.sinceBeat().compareTo(HANGS) < 0);
    }
}
