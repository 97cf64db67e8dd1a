package dev.sluice.trainer.run;

import dev.sluice.contracts.job.JobCode;
import dev.sluice.contracts.job.ModelRef;
import dev.sluice.contracts.store.ModelHash;
import dev.sluice.trainer.fate.JobException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.FileSystemNotFoundException;
import java.nio.file.Path;
import java.util.List;

/// The folders that jobs may read models and adapters from. An address is resolved once, links and all, and the result
/// is checked, never its text.
///
/// @param folders the roots; none: any folder
public record ModelRoots(List<Path> folders) {
    public ModelRoots {
        folders = List.copyOf(folders);
    }

    /// @param roots folders or `file:` addresses
    public static ModelRoots of(List<String> roots) {
        return new ModelRoots(roots.stream().map(root -> root.startsWith("file:") ? Path.of(URI.create(root)) : Path.of(root)).toList());
    }

    /// The folder behind an address.
    ///
    /// @param code what the job fails with when it is missing or lies elsewhere
    public Path resolve(URI address, JobCode code) {
        try {
            Path folder = Path.of(address).toRealPath();
            if (isAllowed(folder)) {
                return folder;
            }
            throw JobException.reject(code, address + " lies outside of the allowed folders " + folders + " (sluice.models)");
        } catch (IllegalArgumentException | FileSystemNotFoundException e) {
            throw JobException.reject(code, address + " is no file: address: " + e.getMessage());
        } catch (IOException e) {
            throw JobException.reject(code, address + " cannot be read on this trainer (" + e.getClass().getSimpleName() + " "
                    + e.getMessage() + "); check the address, sluice.models and the volume");
        }
    }

    private boolean isAllowed(Path folder) throws IOException {
        for (Path root : folders) {
            if (folder.startsWith(root.toRealPath())) {
                return true;
            }
        }
        return folders.isEmpty();
    }

    /// The hash of a model's folder, checked against what the job expects.
    public String hash(Path folder, ModelRef expected) {
        try {
            String hash = ModelHash.of(folder);
            if (expected.sha256() != null && !expected.sha256().equals(hash)) {
                throw JobException.reject(JobCode.HASH_MISMATCH, "model " + expected.uri() + " has hash " + hash + ", the job wants "
                        + expected.sha256());
            }
            return hash;
        } catch (IOException e) {
            throw JobException.reject(JobCode.MODEL_UNSUPPORTED, e);
        }
    }
}
