package dev.sluice.trainer.run;

import dev.sluice.contracts.job.JobCode;
import dev.sluice.contracts.job.ModelRef;
import dev.sluice.contracts.store.AllowedFolders;
import dev.sluice.contracts.store.ArtifactException;
import dev.sluice.contracts.store.ModelHash;
import dev.sluice.trainer.fate.JobException;
import java.net.URI;
import java.nio.file.Path;
import java.util.List;

/// The folders that jobs may read models and adapters from; what is wrong with an address fails the job.
public record ModelRoots(AllowedFolders folders) {

    /// @param roots folders or `file:` addresses; none: any folder
    public static ModelRoots of(List<String> roots) {
        return new ModelRoots(AllowedFolders.of(roots));
    }

    /// The folder behind an address.
    ///
    /// @param code what the job fails with when it is missing or lies elsewhere
    public Path resolve(URI address, JobCode code) {
        try {
            return folders.resolve(address);
        } catch (ArtifactException e) {
            throw JobException.reject(code, e);
        }
    }

    /// The hash of a model's folder, checked against what the job expects.
    public String hash(Path folder, ModelRef expected) {
        try {
            return ModelHash.verify(folder, expected);
        } catch (ArtifactException e) {
            throw JobException.reject(switch (e.problem()) {
                case DAMAGED -> JobCode.HASH_MISMATCH;
                case MISSING, OUTSIDE -> JobCode.MODEL_UNSUPPORTED;
            }, e);
        }
    }
}
