package dev.sluice.cli.client;

import dev.sluice.cli.CliException;
import dev.sluice.cli.ExitCode;
import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.store.ArtifactStore;
import java.io.IOException;
import java.nio.file.Path;

/// Copies an adapter's files out of the artifact store, each checked against its hash.
public final class AdapterFiles {
    private AdapterFiles() {}

    /// Copies every file of the adapter into `folder`, which is made when missing.
    ///
    /// @throws CliException if a file is missing, damaged or cannot be written
    public static void copy(AdapterPublished adapter, ArtifactStore store, Path folder) {
        try {
            adapter.files().copyTo(folder, store);
        } catch (IOException e) {
            throw new CliException(ExitCode.FAILED, "cannot copy adapter " + adapter.adapterId() + " to " + folder + ": " + e.getMessage(), e);
        }
    }
}
