package dev.sluice.trainer.run;

import dev.sluice.contracts.store.ArtifactStore;
import dev.sluice.contracts.wire.EventWriter;
import dev.sluice.model.decoder.MemoryWish;
import dev.sluice.model.decoder.OptimizerChoice;
import dev.sluice.trainer.device.Device;
import dev.sluice.trainer.observe.Pulse;
import dev.sluice.trainer.observe.TrainerMetrics;
import dev.sluice.trainer.ownership.JobTable;
import dev.sluice.trainer.progress.ProgressLog;
import java.nio.file.Path;
import java.time.Duration;

/// What every attempt of this process works with.
///
/// @param defaultBackend for jobs that say `auto`
/// @param graphs record micro-batches of equal size and replay them, where the device can
/// @param scratch folder that attempts make their own folders in
/// @param checkpointInterval longest time between two checkpoints
/// @param memory what runs were told about their memory
/// @param optimizer which state of the optimiser runs begin with
/// @param version of this program, for run reports
public record Workshop(Device device, String defaultBackend, ModelRoots roots, Prepared prepared, JobTable jobs, ArtifactStore store,
        EventWriter events, ProgressLog progress, TrainerMetrics metrics, Pulse pulse, boolean graphs, Path scratch, Duration checkpointInterval,
        MemoryWish memory, OptimizerChoice optimizer, String version) {}
