package dev.sluice.evaluator.observe;

import dev.sluice.evaluator.EvaluatorService;
import dev.sluice.evaluator.Session;
import java.util.Optional;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Readiness;

/// Up when the broker is there and the log has been read back.
@Readiness
class Ready implements HealthCheck {

    private final EvaluatorService service;

    Ready(EvaluatorService service) {
        this.service = service;
    }

    @Override
    public HealthCheckResponse call() {
        Optional<Session> session = service.session();
        return HealthCheckResponse.named("evaluator").withData("state", service.life().state().name())
                .status(session.filter(running -> running.views().areRunning()).isPresent()).build();
    }
}
