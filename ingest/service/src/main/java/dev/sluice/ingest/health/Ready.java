package dev.sluice.ingest.health;

import dev.sluice.contracts.log.CompactedView;
import dev.sluice.ingest.Parts;
import dev.sluice.ingest.Pipeline;
import dev.sluice.ingest.worker.WorkerState;
import java.util.Optional;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Readiness;

/// Up when the broker is there, the log has been read back, and records and jobs are being taken in.
@Readiness
class Ready implements HealthCheck {

    private final Pipeline pipeline;

    Ready(Pipeline pipeline) {
        this.pipeline = pipeline;
    }

    @Override
    public HealthCheckResponse call() {
        var response = HealthCheckResponse.named("ingest");
        Optional<Parts> parts = pipeline.parts();
        if (parts.isEmpty()) {
            return response.withData("broker", "not reached yet").down().build();
        }
        parts.get().workers().forEach(worker -> response.withData(worker.name(), worker.state().name()));
        response.withData("backlog", parts.get().positions().backlog());
        return response.status(parts.get().workers().stream().allMatch(worker -> worker.state() == WorkerState.RUNNING)
                && parts.get().views().stream().allMatch(CompactedView::isRunning)).build();
    }
}
