package dev.sluice.trainer.observe;

import dev.sluice.trainer.TrainerConfig;
import jakarta.enterprise.context.ApplicationScoped;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Liveness;

/// Alive while the device thread or the lease of its job moves. Losing the broker is no reason to end a run.
@Liveness
@ApplicationScoped
public class DeviceLiveness implements HealthCheck {

    private final TrainerView trainer;
    private final TrainerConfig config;

    DeviceLiveness(TrainerView trainer, TrainerConfig config) {
        this.trainer = trainer;
        this.config = config;
    }

    @Override
    public HealthCheckResponse call() {
        var silence = trainer.pulse().sinceLastBeat();
        return HealthCheckResponse.named("device")
                .status(silence.compareTo(config.trainer().stalledAfter()) < 0)
                .withData("seconds_since_last_beat", silence.toSeconds())
                .build();
    }
}
