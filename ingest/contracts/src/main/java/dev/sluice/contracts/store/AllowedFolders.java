package dev.sluice.contracts.store;

import dev.sluice.contracts.store.ArtifactException.Problem;
import java.io.IOException;
import java.net.URI;
import java.nio.file.FileSystemNotFoundException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// The folders that addresses of models and adapters may point into (`sluice.models`). An address is resolved once, links
/// and all, and the result is checked, never its text.
///
/// @param roots allowed folders; none: any folder, which is right on a machine of one's own only
public record AllowedFolders(List<Path> roots) {
    public AllowedFolders {
        roots = List.copyOf(roots);
    }

    /// @param roots folders or `file:` addresses
    public static AllowedFolders of(List<String> roots) {
        return new AllowedFolders(roots.stream().map(root -> root.startsWith("file:") ? Path.of(URI.create(root)) : Path.of(root)).toList());
    }

    /// The folder behind an address.
    ///
    /// @throws ArtifactException MISSING when there is no such folder here, OUTSIDE when it lies elsewhere
    public Path resolve(URI address) throws ArtifactException {
        try {
            Path folder = Path.of(address).toRealPath();
            if (!Files.isDirectory(folder)) {
                throw new ArtifactException(Problem.MISSING, address + " is not a folder; give the address of a folder, such as file:/models/name");
            }
            if (isAllowed(folder)) {
                return folder;
            }
            throw new ArtifactException(Problem.OUTSIDE, address + " lies outside of the allowed folders " + roots
                    + "; extend sluice.models or move the model");
        } catch (IllegalArgumentException | FileSystemNotFoundException e) {
            throw new ArtifactException(Problem.OUTSIDE, address + " is no file: address of an absolute folder, such as file:/models/name");
        } catch (ArtifactException e) {
            throw e;
        } catch (IOException e) {
            throw new ArtifactException(Problem.MISSING, address + " cannot be read on this machine (" + e.getClass().getSimpleName()
                    + "); check the address, sluice.models and the volume");
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
