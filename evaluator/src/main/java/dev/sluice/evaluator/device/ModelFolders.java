package dev.sluice.evaluator.device;

import dev.sluice.contracts.job.ModelRef;
import dev.sluice.contracts.store.ModelHash;
import dev.sluice.evaluator.failure.Failure;
import dev.sluice.evaluator.failure.EvaluationException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.FileSystemNotFoundException;
import java.nio.file.Path;
import java.util.List;

/// The folders that base models may be read from. An address is resolved once, links and all, and the result is checked,
/// never its text.
///
/// @param roots allowed folders; empty: any folder
public record ModelFolders(List<Path> roots) {
    public ModelFolders {
        roots = List.copyOf(roots);
    }

    /// @param roots folders or `file:` addresses
    public static ModelFolders of(List<String> roots) {
        return new ModelFolders(roots.stream().map(root -> root.startsWith("file:") ? Path.of(URI.create(root)) : Path.of(root)).toList());
    }

    /// The folder of the very model that an adapter was trained on.
    ///
    /// @throws EvaluationException when it is missing, lies elsewhere, or is another model by its hash
    public Path resolve(ModelRef model) {
        Path folder = existing(model);
        try {
            String found = ModelHash.of(folder);
            if (model.sha256() != null && !model.sha256().equals(found)) {
                throw new EvaluationException(new Failure.Unscorable("base model " + model.uri() + " has hash " + found
                        + ", the adapter was trained on " + model.sha256() + "; put that model back and train again"));
            }
            return folder;
        } catch (IOException e) {
            throw new EvaluationException(new Failure.Missing(e.getMessage()));
        }
    }

    private Path existing(ModelRef model) {
        try {
            Path folder = Path.of(model.uri()).toRealPath();
            if (!isAllowed(folder)) {
                throw new EvaluationException(new Failure.Unscorable("base model " + model.uri() + " lies outside of the allowed folders "
                        + roots + "; extend sluice.models or move the model"));
            }
            return folder;
        } catch (IllegalArgumentException | FileSystemNotFoundException e) {
            throw new EvaluationException(new Failure.Unscorable("base model " + model.uri() + " is no file: address: " + e.getMessage()));
        } catch (IOException e) {
            throw new EvaluationException(new Failure.Missing("base model " + model.uri() + " cannot be read on this machine ("
                    + e.getClass().getSimpleName() + "); check the address, sluice.models and the volume"));
        }
    }

    private boolean isAllowed(Path folder) throws IOException {
        for (Path root : roots) {
            if (folder.startsWith(root.toRealPath())) {
                return true;
            }
        }
        return roots.isEmpty();
    }
}
