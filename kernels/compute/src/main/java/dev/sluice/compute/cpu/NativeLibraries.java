package dev.sluice.compute.cpu;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;

/// Unpacks shared libraries from a jar on the class path into one folder, where they find each other.
///
/// The folder is named after the version. Each file is written beside its place and moved there in one step, so several
/// processes may unpack at once and a killed one leaves no half file under a library's name.
final class NativeLibraries {
    /// System property that names the folder to unpack under.
    static final String FOLDER_PROPERTY = "sluice.native.folder";

    private NativeLibraries() {}

    /// @param resources folder of the libraries on the class path
    /// @return the folder that holds them
    static Path unpack(String resources, String folderName, List<String> files) throws IOException {
        Path folder = Files.createDirectories(root().resolve(folderName));
        for (String file : files) {
            URL source = NativeLibraries.class.getClassLoader().getResource(resources + "/" + file);
            if (source == null) {
                throw new IOException(resources + "/" + file + " is not on the class path");
            }
            unpack(source, folder.resolve(file));
        }
        return folder;
    }

    private static void unpack(URL source, Path target) throws IOException {
        var connection = source.openConnection();
        connection.setUseCaches(false);
        try (InputStream in = connection.getInputStream()) {
            if (Files.exists(target) && Files.size(target) == connection.getContentLengthLong()) {
                return;
            }
            Path partial = Files.createTempFile(target.getParent(), target.getFileName().toString(), ".part");
            try {
                Files.copy(in, partial, StandardCopyOption.REPLACE_EXISTING);
                Files.move(partial, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } finally {
                Files.deleteIfExists(partial);
            }
        }
    }

    /// The configured folder, else the user's cache, else one of the user's own under the temporary folder.
    private static Path root() {
        String configured = System.getProperty(FOLDER_PROPERTY, "");
        if (!configured.isBlank()) {
            return Path.of(configured);
        }
        String cache = System.getenv().getOrDefault("XDG_CACHE_HOME", "");
        Path preferred = cache.isBlank() ? Path.of(System.getProperty("user.home"), ".cache") : Path.of(cache);
        try {
            return Files.createDirectories(preferred.resolve("sluice").resolve("native"));
        } catch (IOException readOnly) {
            return Path.of(System.getProperty("java.io.tmpdir"), "sluice-native-" + System.getProperty("user.name"));
        }
    }
}
