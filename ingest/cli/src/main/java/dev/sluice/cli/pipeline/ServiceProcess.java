package dev.sluice.cli.pipeline;

import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/// One service as a child process: started with its environment, asked for readiness over HTTP, stopped with SIGTERM.
final class ServiceProcess {
    private static final HttpClient HTTP = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(2)).build();
    private final ServiceKind kind;
    private final int port;
    private final Process process;

    private ServiceProcess(ServiceKind kind, int port, Process process) {
        this.kind = kind;
        this.port = port;
        this.process = process;
    }

    static ServiceProcess start(ServiceKind kind, int port, Installation installation, DataFolder data, Map<String, String> environment)
            throws IOException {
        Path scratch = Files.createDirectories(data.scratch(kind.title()));
        var command = new ArrayList<String>(List.of(Installation.java().toString(), "-Xmx" + kind.heap(), "-XX:+UseSerialGC",
                "-XX:+ExitOnOutOfMemoryError", "--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED",
                "-Djava.io.tmpdir=" + scratch));
        command.addAll(kind.jvmOptions());
        command.add("-jar");
        command.add(installation.runnable(kind).toString());
        var builder = new ProcessBuilder(command).directory(scratch.toFile()).redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log(kind, data).toFile()))
                .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")));
        builder.environment().putAll(environment);
        builder.environment().put("QUARKUS_HTTP_PORT", Integer.toString(port));
        builder.environment().put("QUARKUS_HTTP_HOST", "127.0.0.1");
        return new ServiceProcess(kind, port, builder.start());
    }

    static Path log(ServiceKind kind, DataFolder data) {
        return data.logs().resolve(kind.title() + ".log");
    }

    ServiceKind kind() {
        return kind;
    }

    int port() {
        return port;
    }

    long pid() {
        return process.pid();
    }

    boolean isAlive() {
        return process.isAlive();
    }

    int exitValue() {
        return process.exitValue();
    }

    CompletableFuture<Process> onExit() {
        return process.onExit();
    }

    boolean isReady() {
        return process.isAlive() && isReady(port);
    }

    /// Whether a service on this port of this machine says that it is ready.
    static boolean isReady(int port) {
        try {
            var request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/q/health/ready"))
                    .timeout(Duration.ofSeconds(3)).build();
            return HTTP.send(request, HttpResponse.BodyHandlers.discarding()).statusCode() == 200;
        } catch (IOException notYet) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /// SIGTERM, and SIGKILL for what is still there after `grace`.
    void stop(Duration grace) {
        process.destroy();
        try {
            if (!process.waitFor(grace.toMillis(), TimeUnit.MILLISECONDS)) {
                process.destroyForcibly().waitFor();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
