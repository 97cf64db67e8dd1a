package dev.sluice.trainer;

import dev.sluice.model.decoder.OptimizerChoice;
import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/// Everything that can be set. The broker's address and its security come from Quarkus' own `kafka.*` keys
/// (`kafka.bootstrap.servers`, `kafka.security.protocol`, …). Every key can be an environment variable: `SLUICE_STORE`.
@ConfigMapping(prefix = "sluice")
public interface TrainerConfig {

    /// First part of every topic's name. All services of a pipeline must agree.
    @WithDefault("sluice")
    String topicPrefix();

    /// Replicas of topics that this service has to create because ingest has not yet.
    @WithDefault("1")
    int replicationFactor();

    /// Address of the artifact store for checkpoints and adapters, `file:` and a folder. All services share it.
    URI store();

    /// Folders or `file:` addresses under which base models and initial adapters may lie, separated by commas. Nothing
    /// outside is read. Absent: any folder that this process can read.
    Optional<List<String>> models();

    /// Compute backend for jobs that leave it to us: `auto`, `hopper`, `portable`, `cpu`. Absent: `UNSLOTH_MOE_BACKEND`
    /// if that is set, else `auto`. A backend that is named and cannot run fails the job; there is no silent fallback.
    Optional<String> backend();

    /// `on`: where several GPU backends can run, `auto` takes the one that is fastest at the job's own shapes. `off`: the preferred one.
    @WithDefault("on")
    boolean tune();

    /// File that keeps the measured speeds. It may be deleted at any time.
    @WithDefault("${HOME:${java.io.tmpdir}}/.sluice/speed.properties")
    Path speeds();

    /// `on`: what a GPU does for a micro-batch is recorded and replayed for others of the same size, which saves launching it anew.
    @WithDefault("on")
    boolean graphs();

    /// Folder for files on their way to the store; needs room for two checkpoints.
    @WithDefault("${HOME:${java.io.tmpdir}}/.sluice/scratch")
    Path scratch();

    /// What only the trainer has.
    Trainer trainer();

    /// Keys `sluice.trainer.*`.
    interface Trainer {

        /// Readable part of this process's owner id; a random part follows, so two processes never share an id.
        @WithDefault("${HOSTNAME:trainer}")
        String name();

        /// How long a job stays ours without a renewal; renewed four times in that time. Shorter means faster takeover
        /// after a crash, and less patience with a stalled broker. At least PT1S.
        @WithDefault("PT15S")
        Duration lease();

        /// Longest time between two checkpoints, besides the job's own `save_steps`.
        @WithDefault("PT10M")
        Duration checkpointInterval();

        /// First pause before a job is tried again after trouble with the store or the broker; four times as long each
        /// further time, at most ten minutes.
        @WithDefault("PT30S")
        Duration retryAfter();

        /// Time that SIGTERM leaves for the step, the checkpoint and the release. Keep it below Kubernetes'
        /// `terminationGracePeriodSeconds`.
        @WithDefault("PT4M")
        Duration grace();

        /// Silence of both the device thread and the lease thread after which the liveness probe fails.
        @WithDefault("PT5M")
        Duration stalledAfter();

        /// How runs use memory. What is kept and computed again decides how fast they are, never what they train.
        Memory memory();
    }

    /// Keys `sluice.trainer.memory.*`.
    interface Memory {

        /// What every layer keeps for the backward pass; the rest is computed again. `input` keeps its input, `attn` also attention's
        /// result, `mid` also the stream between its halves, `qkv` also the projections, `all` everything. With `host` the input waits in
        /// pinned host memory, which GPUs fill and read beside the computation. `auto` chooses layer by layer what fits, and takes host
        /// memory only where not all inputs do.
        @WithDefault("auto")
        String policy();

        /// GiB that a run may hold in the backend's memory, base model included. Absent: what is free.
        Optional<Double> budget();

        /// What the optimiser keeps of every parameter. `exact` keeps gradients and moments in float32, 16 bytes a parameter; `lean`
        /// rounds gradients to the activation type and moments to a byte each, 8 bytes a parameter on GPUs, which changes the numbers a
        /// little. `auto` is `exact` where that does not cost activations, else `lean`. A job that goes on keeps to what it began with.
        @WithDefault("auto")
        OptimizerChoice optimizerState();
    }
}
