package dev.sluice.evaluator;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sluice.compute.Backends;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.store.ArtifactStore;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.Json;
import dev.sluice.evaluator.device.ModelFolders;
import dev.sluice.evaluator.failure.RetryRule;
import dev.sluice.evaluator.observe.EvaluatorMetrics;
import dev.sluice.evaluator.retrain.RetrainRule;
import dev.sluice.evaluator.statistic.PairedBootstrap;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import java.util.List;
import java.util.Optional;
import org.eclipse.microprofile.config.Config;

/// The evaluator as a service: made of its configuration, up with the application, down with it. HTTP answers from the
/// first moment.
@ApplicationScoped
public class EvaluatorService {

    private final Evaluator evaluator;

    EvaluatorService(EvaluatorConfig config, Config all, MeterRegistry metrics) {
        evaluator = new Evaluator(new Environment(
                KafkaConnection.configured("sluice-evaluator", key -> all.getOptionalValue(key, String.class)),
                new Topics(config.topicPrefix()), config.replicationFactor(), ArtifactStore.open(config.store()),
                ModelFolders.of(config.models().orElse(List.of())),
                config.backend().orElseGet(() -> Backends.requested(System.getenv())), config.scratch(),
                new PairedBootstrap(config.evaluator().resamples(), config.evaluator().seed()), config.evaluator().maxNewTokens(),
                new RetryRule(config.evaluator().attempts(), config.evaluator().retryAfter()),
                new RetrainRule(config.retrain().newExamples(), config.retrain().coolDown())), new EvaluatorMetrics(metrics));
    }

    void start(@Observes StartupEvent event) {
        evaluator.start();
    }

    void stop(@Observes ShutdownEvent event) {
        evaluator.close();
    }

    public Life life() {
        return evaluator.life();
    }

    public Optional<Session> session() {
        return evaluator.session();
    }

    /// REST speaks the same JSON as the topics.
    @Produces
    @Singleton
    ObjectMapper json() {
        return Json.mapper();
    }
}
