package dev.sluice.cli.pipeline;

import dev.sluice.cli.CliException;
import dev.sluice.cli.ExitCode;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Map;
import java.util.function.Consumer;

/// A pipeline that one command starts for itself and ends with itself, also when the command is interrupted.
public final class OwnPipeline implements AutoCloseable {
    private final DataFolder data;
    private final boolean temporary;
    private final Pipeline pipeline;
    private final Thread interrupted;
    private boolean closed;

    private OwnPipeline(DataFolder data, boolean temporary, Consumer<String> events) {
        this.data = data;
        this.temporary = temporary;
        this.pipeline = Pipeline.start(data, Installation.current(), Map.of(), events);
        this.interrupted = new Thread(this::end, "end-pipeline");
        Runtime.getRuntime().addShutdownHook(interrupted);
    }

    /// Starts a pipeline in a folder that is deleted at the end.
    public static OwnPipeline temporary(Consumer<String> events) {
        try {
            return new OwnPipeline(new DataFolder(Files.createTempDirectory("sluice-")), true, events);
        } catch (IOException e) {
            throw new CliException(ExitCode.FAILED, "cannot make a temporary folder: " + e.getMessage(), e);
        }
    }

    /// Starts a pipeline in `data` after emptying it, and leaves what it held behind.
    public static OwnPipeline fresh(DataFolder data, Consumer<String> events) {
        if (PipelineStatus.running(data).isPresent()) {
            throw new CliException(ExitCode.FAILED, "a pipeline runs in " + data.root() + "; stop it with ./sluice down --data " + data.root());
        }
        delete(data);
        return new OwnPipeline(data, false, events);
    }

    public DataFolder data() {
        return data;
    }

    public PipelineStatus status() {
        return pipeline.status();
    }

    @Override
    public void close() {
        try {
            Runtime.getRuntime().removeShutdownHook(interrupted);
        } catch (IllegalStateException shuttingDown) {
            // The hook is at it already; end() below waits for it.
        }
        end();
    }

    private synchronized void end() {
        if (closed) {
            return;
        }
        closed = true;
        pipeline.close();
        if (temporary) {
            delete(data);
        }
    }

    /// Deletes what a pipeline keeps, and only in a folder that is one.
    private static void delete(DataFolder data) {
        Path root = data.root();
        if (!Files.exists(root)) {
            return;
        }
        try {
            if (!Files.exists(data.lock()) && !isEmpty(root)) {
                throw new CliException(ExitCode.USAGE, root + " holds something else than a pipeline's data; choose another folder with --data");
            }
            Files.walkFileTree(root, new Deletion());
        } catch (IOException e) {
            throw new CliException(ExitCode.FAILED, "cannot empty " + root + ": " + e.getMessage(), e);
        }
    }

    private static boolean isEmpty(Path folder) throws IOException {
        try (var entries = Files.newDirectoryStream(folder)) {
            return !entries.iterator().hasNext();
        }
    }

    private static final class Deletion extends SimpleFileVisitor<Path> {
        @Override
        public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
        }

        @Override
        public FileVisitResult postVisitDirectory(Path folder, IOException failure) throws IOException {
            Files.delete(folder);
            return FileVisitResult.CONTINUE;
        }
    }
}
