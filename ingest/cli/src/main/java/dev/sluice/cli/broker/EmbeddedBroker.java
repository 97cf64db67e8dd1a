package dev.sluice.cli.broker;

import dev.sluice.contracts.log.KafkaConnection;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.Admin;

/// A Kafka broker as a child process, from the Kafka jars on this JVM's class path. Its port and data survive a restart.
///
/// Not for use by several threads at once.
public final class EmbeddedBroker implements AutoCloseable {

    private static final Duration STOP_TIMEOUT = Duration.ofSeconds(10);
    private static final int LAST_LINES = 15;

    private final Path folder;
    private final int port;
    private final Path log;
    private final BrokerLifetime lifetime;
    private Process process;

    private EmbeddedBroker(Path folder, int port, BrokerLifetime lifetime) {
        this.folder = folder;
        this.port = port;
        this.lifetime = lifetime;
        this.log = folder.resolveSibling(folder.getFileName() + ".log");
    }

    /// Starts a broker and returns at once; see [#awaitReady].
    ///
    /// @param folder its data, created when missing; the log is written beside it, as `<folder>.log`
    /// @param port to listen on at 127.0.0.1, or 0 for a free one
    public static EmbeddedBroker start(Path folder, int port, BrokerLifetime lifetime) throws IOException {
        EmbeddedBroker broker = new EmbeddedBroker(folder.toAbsolutePath(), port == 0 ? freePort() : port, lifetime);
        broker.launch();
        return broker;
    }

    public String bootstrapServers() {
        return "127.0.0.1:" + port;
    }

    /// A connection for clients named `clientId`.
    public KafkaConnection connection(String clientId) {
        return new KafkaConnection(bootstrapServers(), clientId);
    }

    public int port() {
        return port;
    }

    public long pid() {
        return process.pid();
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    /// Where the broker's output goes.
    public Path log() {
        return log;
    }

    /// Waits until the broker serves requests.
    ///
    /// @throws IOException with the end of its log when it died or did not get ready in time
    public void awaitReady(Duration timeout) throws IOException, InterruptedException {
        long deadline = System.nanoTime() + timeout.toNanos();
        while (!accepts()) {
            require(process.isAlive(), "ended with exit code " + (process.isAlive() ? "" : process.exitValue()));
            require(System.nanoTime() < deadline, "does not listen after " + timeout.toSeconds() + " s");
            process.waitFor(50, TimeUnit.MILLISECONDS);
        }
        try (Admin admin = connection("sluice-ready").admin()) {
            admin.describeCluster().nodes().get(Math.max(1, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
        } catch (ExecutionException | TimeoutException e) {
            throw failure("does not answer: " + e);
        }
    }

    /// `kill -9`: no goodbye, as if the power had failed.
    public void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    /// Stops the broker if it runs, and starts it again on the same port and data.
    public void restart() throws IOException, InterruptedException {
        stop();
        launch();
    }

    /// Asks the broker to stop, and kills it when it does not.
    public void stop() throws InterruptedException {
        process.destroy();
        if (!process.waitFor(STOP_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)) {
            kill();
        }
    }

    @Override
    public void close() {
        try {
            stop();
        } catch (InterruptedException _) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }

    private void launch() throws IOException {
        Files.createDirectories(folder);
        ProcessBuilder builder = new ProcessBuilder(command());
        builder.environment().put("CLASSPATH", System.getProperty("java.class.path"));
        builder.environment().remove("JDK_JAVA_OPTIONS");
        builder.redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()));
        process = builder.start();
    }

    private List<String> command() {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError",
                "--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
                BrokerMain.class.getName(), folder.toString(), Integer.toString(port)));
        switch (lifetime) {
            case WITH_PARENT -> command.add(Long.toString(ProcessHandle.current().pid()));
            case DETACHED -> { }
        }
        return command;
    }

    private boolean accepts() {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress("127.0.0.1", port), 200);
            return true;
        } catch (IOException _) {
            return false;
        }
    }

    private void require(boolean holds, String otherwise) throws IOException {
        if (!holds) {
            throw failure(otherwise);
        }
    }

    private IOException failure(String what) {
        return new IOException("Kafka broker on port " + port + " " + what + "; the end of its log " + log + ":\n" + tail());
    }

    private String tail() {
        try {
            List<String> lines = Files.readAllLines(log);
            return String.join("\n", lines.subList(Math.max(0, lines.size() - LAST_LINES), lines.size()));
        } catch (IOException e) {
            throw new UncheckedIOException("read the broker's log " + log, e);
        }
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }
}
