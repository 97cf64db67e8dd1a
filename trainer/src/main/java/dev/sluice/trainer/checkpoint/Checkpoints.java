package dev.sluice.trainer.checkpoint;

import dev.sluice.compute.op.OptimizerState;
import dev.sluice.contracts.job.CheckpointRef;
import dev.sluice.contracts.store.ArtifactException;
import dev.sluice.contracts.store.ArtifactRef;
import dev.sluice.contracts.store.ArtifactStore;
import dev.sluice.contracts.wire.Json;
import dev.sluice.model.InvalidFileException;
import dev.sluice.model.training.LoraTraining;
import dev.sluice.trainer.store.Folders;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jboss.logging.Logger;

/// Saves runs into the artifact store and brings them back.
///
/// A save is first written to a scratch folder, then stored file by file under its hashes; it counts only once the job's
/// state names it. A trainer that was fenced in between leaves files that nobody refers to, and never changes another's.
///
/// @param scratch folder of this attempt
public record Checkpoints(ArtifactStore store, Path scratch) {

    private static final Logger LOG = Logger.getLogger(Checkpoints.class);

    public CheckpointRef save(LoraTraining training, CheckpointMeta meta) throws IOException {
        Path folder = scratch.resolve("checkpoint-" + meta.step());
        try {
            training.save(folder, new String(Json.write(meta), StandardCharsets.UTF_8));
            return new CheckpointRef(meta.step(), Folders.store(store, folder));
        } finally {
            Folders.delete(folder);
        }
    }

    /// Restores the newest checkpoint whose files are what they should be.
    ///
    /// @param candidates newest first
    /// @param refused collects what is wrong with those that were passed over
    /// @return empty when there is none: start from the beginning
    /// @throws IOException when the store does not answer, which says nothing about the checkpoints
    public Optional<CheckpointMeta> restore(LoraTraining training, List<CheckpointRef> candidates, List<String> refused) throws IOException {
        for (CheckpointRef candidate : candidates) {
            try {
                return Optional.of(restore(training, candidate));
            } catch (ArtifactException | InvalidFileException e) {
                refused.add("checkpoint of step " + candidate.step() + " was passed over: " + e.getMessage());
                LOG.warn(refused.getLast());
            }
        }
        return Optional.empty();
    }

    /// What the optimiser of a run kept of every parameter, which decides whether it can go on from there.
    ///
    /// @param candidates newest first; damaged ones are passed over
    /// @return empty when there is none
    /// @throws IOException when the store does not answer, which says nothing about the checkpoints
    public Optional<OptimizerState> optimizerState(List<CheckpointRef> candidates) throws IOException {
        for (CheckpointRef candidate : candidates) {
            ArtifactRef counters = candidate.files().files().get(LoraTraining.COUNTERS);
            try {
                if (counters != null) {
                    return Optional.of(LoraTraining.savedOptimizerState(store.local(counters)));
                }
            } catch (ArtifactException | InvalidFileException e) {
                LOG.debugf("checkpoint of step %d is passed over: %s", candidate.step(), e.getMessage());
            }
        }
        return Optional.empty();
    }

    private CheckpointMeta restore(LoraTraining training, CheckpointRef ref) throws IOException {
        Path folder = scratch.resolve("restore-" + ref.step());
        try {
            ref.files().copyTo(folder, store);
            return Json.read(training.restore(folder).getBytes(StandardCharsets.UTF_8), CheckpointMeta.class);
        } finally {
            Folders.delete(folder);
        }
    }

    /// Removes the files of checkpoints that no state names any more. Failing to is no failure of the job.
    ///
    /// @param kept checkpoints whose files must stay
    public void delete(Collection<CheckpointRef> dropped, Collection<CheckpointRef> kept) {
        Set<String> needed = kept.stream().flatMap(Checkpoints::files).map(ArtifactRef::sha256).collect(Collectors.toSet());
        dropped.stream().flatMap(Checkpoints::files).filter(file -> !needed.contains(file.sha256())).forEach(file -> {
            try {
                store.delete(file);
            } catch (IOException e) {
                LOG.warnf("old checkpoint file %s stays: %s", file.uri(), e.getMessage());
            }
        });
    }

    private static Stream<ArtifactRef> files(CheckpointRef checkpoint) {
        return checkpoint.files().files().values().stream();
    }
}
