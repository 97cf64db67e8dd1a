package dev.sluice.cli.broker;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.stream.Stream;

/// One broker for all tests of a JVM, in a temporary folder: starting one takes seconds. Tests keep apart by topic prefix.
public final class SharedBroker {

    private static final Duration READY = Duration.ofSeconds(60);

    private SharedBroker() {}

    /// The broker, started by the first call and ready. It ends with this JVM.
    public static EmbeddedBroker get() {
        return Holder.BROKER;
    }

    private static final class Holder {
        private static final EmbeddedBroker BROKER = start();
    }

    private static EmbeddedBroker start() {
        try {
            Path folder = Files.createTempDirectory("sluice-broker");
            EmbeddedBroker broker = EmbeddedBroker.start(folder.resolve("data"), 0, BrokerLifetime.WITH_PARENT);
            Runtime.getRuntime().addShutdownHook(new Thread(() -> end(broker, folder), "shared-broker-end"));
            broker.awaitReady(READY);
            return broker;
        } catch (IOException e) {
            throw new IllegalStateException(e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while the broker started", e);
        }
    }

    private static void end(EmbeddedBroker broker, Path folder) {
        try (Stream<Path> files = Files.walk(folder)) {
            broker.kill();
            files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
        } catch (IOException | InterruptedException _) {
            // the JVM ends; what is left lies in the system's temporary folder
        }
    }
}
