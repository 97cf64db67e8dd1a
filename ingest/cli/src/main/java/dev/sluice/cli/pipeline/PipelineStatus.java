package dev.sluice.cli.pipeline;

import dev.sluice.contracts.wire.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/// Who is running in a data folder: written by the supervisor at every change, read by every other command.
///
/// @param supervisorPid process that watches the others
/// @param supervisorStarted when that process began, so that a reused pid is not taken for it
/// @param bootstrapServers address of the broker
/// @param topicPrefix prefix of all topics
/// @param ready whether everything has answered since the start
/// @param processes broker and services
public record PipelineStatus(long supervisorPid, Instant supervisorStarted, String bootstrapServers, String topicPrefix, boolean ready,
        List<ProcessStatus> processes) {
    public PipelineStatus {
        processes = List.copyOf(processes);
    }

    /// @param started when the process began, so that a reused pid is not taken for it
    /// @param port HTTP port, for the broker its listener
    /// @param restarts times the supervisor had to start it again
    public record ProcessStatus(String name, long pid, Instant started, int port, int restarts) {
        /// Whether it lives and, for a service, says that it is ready.
        public boolean isReady() {
            return handle().isPresent() && (name.equals(Pipeline.BROKER) || ServiceProcess.isReady(port));
        }

        /// The process, if it is still the one that was started.
        Optional<ProcessHandle> handle() {
            return alive(pid, started);
        }
    }

    /// What the data folder says, whether or not anything of it still runs.
    static Optional<PipelineStatus> read(DataFolder data) {
        if (!Files.exists(data.status())) {
            return Optional.empty();
        }
        try {
            return Optional.of(Json.mapper().readValue(data.status().toFile(), PipelineStatus.class));
        } catch (IOException damaged) {
            return Optional.empty();
        }
    }

    /// The pipeline running in `data`, if its supervisor lives.
    public static Optional<PipelineStatus> running(DataFolder data) {
        return read(data).filter(PipelineStatus::isAlive);
    }

    /// HTTP address of a service.
    public String address(ServiceKind kind) {
        int port = processes.stream().filter(p -> p.name().equals(kind.title())).mapToInt(ProcessStatus::port).findFirst().orElse(0);
        return "http://127.0.0.1:" + port;
    }

    public boolean isAlive() {
        return alive(supervisorPid, supervisorStarted).isPresent();
    }

    private static Optional<ProcessHandle> alive(long pid, Instant started) {
        return ProcessHandle.of(pid).filter(ProcessHandle::isAlive).filter(handle -> handle.info().startInstant()
                .map(began -> began.getEpochSecond() == started.getEpochSecond()).orElse(false));
    }

    void write(DataFolder data) throws IOException {
        var next = data.status().resolveSibling("pipeline.json.next");
        Files.write(next, Json.mapper().writerWithDefaultPrettyPrinter().writeValueAsBytes(this));
        Files.move(next, data.status(), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }
}
