package dev.sluice.cli.pipeline;

import dev.sluice.cli.CliException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

/// The process behind `./sluice up`: runs the pipeline of a data folder until SIGTERM.
public final class Supervisor {
    private Supervisor() {}

    /// @param arguments the data folder
    public static void main(String[] arguments) throws InterruptedException {
        var stop = new CountDownLatch(1);
        var stopped = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            stop.countDown();
            await(stopped);
        }, "stop"));
        try (var pipeline = Pipeline.start(new DataFolder(Path.of(arguments[0])), Installation.current(), Map.of(), Supervisor::log)) {
            log("ready, broker at " + pipeline.status().bootstrapServers());
            stop.await();
            log("stopping");
        } catch (CliException e) {
            log(e.getMessage());
        } finally {
            stopped.countDown();
        }
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void log(String text) {
        System.err.println(Instant.now() + " " + text);
    }
}
