package dev.sluice.cli.pipeline;

import dev.sluice.cli.CliException;
import dev.sluice.cli.ExitCode;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;

/// Starts and stops the [Supervisor] as a process of its own, in a session of its own, so that closing the terminal
/// does not end it.
public final class Daemon {
    private static final Duration STOP_LIMIT = Duration.ofSeconds(120);

    private Daemon() {}

    /// Starts a supervisor and waits until its pipeline is ready.
    ///
    /// @throws CliException with what it said, if it gave up
    public static PipelineStatus start(DataFolder data) {
        data.create();
        Path log = data.logs().resolve("supervisor.log");
        try {
            Files.deleteIfExists(log);
            var builder = new ProcessBuilder(command(data)).redirectErrorStream(true)
                    .redirectOutput(log.toFile()).redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")));
            builder.environment().put("CLASSPATH", System.getProperty("java.class.path"));
            return awaitReady(builder.start(), data, log);
        } catch (IOException e) {
            throw new CliException(ExitCode.FAILED, "cannot start the supervisor: " + e.getMessage(), e);
        }
    }

    private static List<String> command(DataFolder data) {
        var command = new ArrayList<String>();
        if (Files.isExecutable(Path.of("/usr/bin/setsid"))) {
            command.add("/usr/bin/setsid");
        }
        command.addAll(List.of(Installation.java().toString(), "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                Supervisor.class.getName(), data.root().toString()));
        return command;
    }

    private static PipelineStatus awaitReady(Process supervisor, DataFolder data, Path log) {
        while (supervisor.isAlive()) {
            var status = PipelineStatus.running(data).filter(PipelineStatus::ready);
            if (status.isPresent()) {
                return status.get();
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(100));
        }
        throw new CliException(ExitCode.FAILED, LogTail.of(log));
    }

    /// Stops the pipeline of a data folder and waits until it is gone.
    ///
    /// @return whether one was running
    public static boolean stop(DataFolder data) {
        var status = PipelineStatus.running(data);
        if (status.isEmpty()) {
            return false;
        }
        var supervisor = ProcessHandle.of(status.get().supervisorPid());
        supervisor.ifPresent(ProcessHandle::destroy);
        try {
            if (supervisor.isPresent()) {
                supervisor.get().onExit().get(STOP_LIMIT.toSeconds(), TimeUnit.SECONDS);
            }
            return true;
        } catch (TimeoutException | ExecutionException e) {
            throw new CliException(ExitCode.FAILED, "the pipeline did not stop within " + STOP_LIMIT.toSeconds()
                    + " s; its supervisor is process " + status.get().supervisorPid(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CliException(ExitCode.FAILED, "interrupted while stopping", e);
        }
    }
}
