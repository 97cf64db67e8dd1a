package dev.sluice.ingest.prepare;

import dev.sluice.contracts.job.JobCode;
import dev.sluice.contracts.job.ModelRef;
import dev.sluice.contracts.store.ModelHash;
import java.io.IOException;
import java.net.URI;
import java.nio.file.FileSystemNotFoundException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// Model addresses to folders, within the roots that the operator allows.
public final class ModelFolders {

    private final List<Path> roots;

    /// @param roots folders or `file:` addresses; empty: any folder
    public ModelFolders(List<String> roots) {
        this.roots = roots.stream().map(ModelFolders::path).toList();
    }

    /// The folder of a model, links resolved, inside an allowed root.
    public Path resolve(ModelRef model) throws RejectedException {
        Path folder = address(model.uri());
        try {
            Path real = folder.toRealPath();
            if (!Files.isDirectory(real)) {
                throw refuse(model, "is not a folder");
            }
            for (Path root : roots) {
                if (real.startsWith(root.toRealPath())) {
                    return real;
                }
            }
            if (roots.isEmpty()) {
                return real;
            }
            throw refuse(model, "lies outside the folders that sluice.models allows");
        } catch (IOException e) {
            throw refuse(model, "cannot be found");
        }
    }

    /// The model with its hash filled in.
    public ModelRef pinned(ModelRef model, Path folder) throws RejectedException {
        try {
            String found = ModelHash.of(folder);
            if (model.sha256() != null && !model.sha256().equals(found)) {
                throw new RejectedException(JobCode.HASH_MISMATCH, "Model " + model.uri() + " has the hash " + found + ", the job wants "
                        + model.sha256() + ". Put the right model there, or leave model.sha256 out.");
            }
            return new ModelRef(model.uri(), found);
        } catch (IOException e) {
            throw new RejectedException(JobCode.MODEL_UNSUPPORTED, e.getMessage());
        }
    }

    private static RejectedException refuse(ModelRef model, String what) {
        return new RejectedException(JobCode.MODEL_UNSUPPORTED, "Model address " + model.uri() + " " + what
                + ". Give the address of a Hugging Face checkpoint folder that ingest can read, such as file:/models/name.");
    }

    private static Path address(URI uri) throws RejectedException {
        try {
            if ("file".equals(uri.getScheme())) {
                return Path.of(uri);
            }
        } catch (IllegalArgumentException | FileSystemNotFoundException _) {
            // falls through to the refusal
        }
        throw new RejectedException(JobCode.MODEL_UNSUPPORTED, "Model address " + uri + " must be a file: address of an absolute folder, such as file:/models/name.");
    }

    private static Path path(String root) {
        return root.startsWith("file:") ? Path.of(URI.create(root)) : Path.of(root);
    }
}
