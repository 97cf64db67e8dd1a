package dev.sluice.evaluator.device;

import dev.sluice.contracts.job.ModelRef;
import dev.sluice.contracts.store.AllowedFolders;
import dev.sluice.contracts.store.ArtifactException;
import dev.sluice.contracts.store.ModelHash;
import dev.sluice.evaluator.failure.EvaluationException;
import dev.sluice.evaluator.failure.Failure;
import java.nio.file.Path;
import java.util.List;

/// The folders that base models may be read from.
public record ModelFolders(AllowedFolders folders) {

    /// @param roots folders or `file:` addresses; none: any folder
    public static ModelFolders of(List<String> roots) {
        return new ModelFolders(AllowedFolders.of(roots));
    }

    /// The folder of the very model that an adapter was trained on.
    ///
    /// @throws EvaluationException when it is missing, lies elsewhere, or is another model by its hash
    public Path resolve(ModelRef model) {
        try {
            Path folder = folders.resolve(model.uri());
            ModelHash.verify(folder, model);
            return folder;
        } catch (ArtifactException e) {
            throw new EvaluationException(switch (e.problem()) {
                case MISSING -> new Failure.Missing("base model: " + e.getMessage());
                case DAMAGED -> new Failure.Unfit("the adapter was trained on " + model.sha256() + ", but " + e.getMessage());
                case OUTSIDE -> new Failure.Unfit("base model: " + e.getMessage());
            });
        }
    }
}
