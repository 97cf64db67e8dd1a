package dev.sluice.ingest.prepare;

import dev.sluice.contracts.job.JobCode;
import dev.sluice.contracts.job.ModelRef;
import dev.sluice.contracts.store.AllowedFolders;
import dev.sluice.contracts.store.ArtifactException;
import dev.sluice.contracts.store.ModelHash;
import java.nio.file.Path;
import java.util.List;

/// The folders that jobs may name models in; what is wrong with an address rejects the job.
public record ModelFolders(AllowedFolders folders) {

    /// @param roots folders or `file:` addresses; none: any folder
    public static ModelFolders of(List<String> roots) {
        return new ModelFolders(AllowedFolders.of(roots));
    }

    /// The folder of a model, links resolved, inside an allowed root.
    public Path resolve(ModelRef model) throws RejectedException {
        try {
            return folders.resolve(model.uri());
        } catch (ArtifactException e) {
            throw new RejectedException(JobCode.MODEL_UNSUPPORTED, "Model address " + e.getMessage() + ".");
        }
    }

    /// The model with its hash filled in.
    public ModelRef pinned(ModelRef model, Path folder) throws RejectedException {
        try {
            return model.pinned(ModelHash.verify(folder, model));
        } catch (ArtifactException e) {
            throw new RejectedException(switch (e.problem()) {
                case DAMAGED -> JobCode.HASH_MISMATCH;
                case MISSING, OUTSIDE -> JobCode.MODEL_UNSUPPORTED;
            }, e.getMessage());
        }
    }
}
