package dev.sluice.trainer.observe;

import jakarta.enterprise.context.ApplicationScoped;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.Admin;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Readiness;

/// Ready when all jobs are known and the broker answers now.
@Readiness
@ApplicationScoped
public class BrokerReadiness implements HealthCheck {

    private static final int PATIENCE_SECONDS = 2;

    private final TrainerView trainer;
    private Admin admin;

    BrokerReadiness(TrainerView trainer) {
        this.trainer = trainer;
    }

    @Override
    public HealthCheckResponse call() {
        String problem = trainer.jobs().isEmpty() ? "the job log has not been read to its end yet" : problem();
        return HealthCheckResponse.named("broker")
                .status(problem.isEmpty())
                .withData("problem", problem)
                .build();
    }

    private String problem() {
        try {
            int nodes = admin().describeCluster().nodes().get(PATIENCE_SECONDS, TimeUnit.SECONDS).size();
            return nodes > 0 ? "" : "the cluster has no nodes";
        } catch (ExecutionException e) {
            return String.valueOf(e.getCause().getMessage());
        } catch (TimeoutException _) {
            return "no answer in " + PATIENCE_SECONDS + " s";
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            return "interrupted";
        }
    }

    /// Made at the first question, so that a start without a broker waits where it should.
    private synchronized Admin admin() {
        if (admin == null) {
            admin = trainer.connection().admin();
        }
        return admin;
    }
}
