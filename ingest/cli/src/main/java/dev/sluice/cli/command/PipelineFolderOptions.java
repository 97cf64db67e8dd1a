package dev.sluice.cli.command;

import dev.sluice.cli.pipeline.DataFolder;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/// As [PipelineOptions], with the short `--data DIR`; `train` cannot have it, its `--data` is a file.
final class PipelineFolderOptions extends PipelineOptions {
    @Option(names = "--data", paramLabel = "DIR", description = "short for --data-folder")
    private Path data;

    @Override
    DataFolder data() {
        return data == null ? super.data() : new DataFolder(data);
    }
}
