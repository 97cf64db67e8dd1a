package dev.sluice.evaluator.observe;

import dev.sluice.evaluator.EvaluatorConfig;
import dev.sluice.evaluator.EvaluatorService;
import dev.sluice.evaluator.Life;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Liveness;

/// Down when a restart would help: the evaluator's thread hangs or was fenced. A broker that is away does not count.
@Liveness
class Alive implements HealthCheck {

    private final EvaluatorService service;
    private final EvaluatorConfig config;

    Alive(EvaluatorService service, EvaluatorConfig config) {
        this.service = service;
        this.config = config;
    }

    @Override
    public HealthCheckResponse call() {
        Life life = service.life();
        return HealthCheckResponse.named("evaluator-thread").withData("state", life.state().name())
                .withData("seconds_since_it_moved", life.sinceBeat().toSeconds())
                .status(life.state() != Life.State.FENCED && life.sinceBeat().compareTo(config.evaluator().stalledAfter()) < 0).build();
    }
}
