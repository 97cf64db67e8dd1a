package dev.sluice.evaluator;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/// Everything that can be set. `kafka.bootstrap.servers` and Kafka's security settings stand beside it, see
/// [dev.sluice.contracts.log.KafkaConnection#configured]. Every key can be an environment variable: `SLUICE_STORE`.
@ConfigMapping(prefix = "sluice")
public interface EvaluatorConfig {

    /// First part of every topic's name. All services of a pipeline must agree.
    @WithDefault("sluice")
    String topicPrefix();

    /// Replicas of topics that this service has to create because ingest has not yet.
    @WithDefault("1")
    int replicationFactor();

    /// Address of the artifact store for adapters and row scores, `file:` and a folder. All services share it.
    URI store();

    /// Folders under which base models may lie, separated by commas. Empty: anywhere, which is right on a machine of one's
    /// own only.
    Optional<List<String>> models();

    /// Compute backend: `auto`, `hopper`, `portable`, `cpu`. Absent: `UNSLOTH_MOE_BACKEND` if that is set, else `auto`. A
    /// backend that is named and cannot run is an error; there is no silent fallback.
    Optional<String> backend();

    /// Folder for adapters on their way out of the store.
    @WithDefault("${HOME:${java.io.tmpdir}}/.sluice/scratch")
    Path scratch();

    /// What only the evaluator has.
    Evaluation evaluator();

    /// When a champion is trained anew.
    Retrain retrain();

    /// Keys `sluice.evaluator.*`.
    interface Evaluation {

        /// Resamples of the paired bootstrap. Part of the policy's hash.
        @WithDefault("10000")
        int resamples();

        /// Seed of the bootstrap. Part of the policy's hash.
        @WithDefault("1234")
        long seed();

        /// Most tokens of a sample answer.
        @WithDefault("256")
        int maxNewTokens();

        /// Tries before a model or file that is not there counts as missing for good. A store or broker that is away is
        /// waited for as long as it takes.
        @WithDefault("5")
        int attempts();

        /// First pause before another try; twice as long each further time, at most five minutes.
        @WithDefault("PT5S")
        Duration retryAfter();

        /// Silence of the evaluator's thread after which the liveness probe fails. Loading a model and scoring a row are
        /// silent.
        @WithDefault("PT15M")
        Duration stalledAfter();
    }

    /// Keys `sluice.retrain.*`.
    interface Retrain {

        /// Examples accepted since the champion's dataset version that call for a new adapter; 0: never.
        @WithDefault("1000")
        long newExamples();

        /// Least time between two retrainings of an alias.
        @WithDefault("PT6H")
        Duration coolDown();
    }
}
