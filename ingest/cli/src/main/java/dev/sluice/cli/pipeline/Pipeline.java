package dev.sluice.cli.pipeline;

import dev.sluice.cli.CliException;
import dev.sluice.cli.ExitCode;
import dev.sluice.cli.broker.BrokerLifetime;
import dev.sluice.cli.broker.EmbeddedBroker;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/// The whole pipeline on one machine: a broker and three services as child processes of this one, watched and started
/// again when they die. One pipeline per data folder; a lock on it says so.
///
/// A thread of its own looks after the processes; [#close] ends it before it ends them.
public final class Pipeline implements AutoCloseable {
    private static final Duration START_LIMIT = Duration.ofSeconds(90);
    /// Long enough for a trainer to write a checkpoint.
    private static final Duration STOP_GRACE = Duration.ofSeconds(30);
    private static final Duration WATCH_INTERVAL = Duration.ofSeconds(1);
    static final String BROKER = "broker";

    private final DataFolder data;
    private final Installation installation;
    private final Map<String, String> extraEnvironment;
    private final FileChannel lockFile;
    private final Ports ports;
    private final Map<ServiceKind, ServiceProcess> services = new ConcurrentHashMap<>();
    private final Map<String, Integer> restarts = new ConcurrentHashMap<>();
    private final Consumer<String> events;
    private final Thread watcher = Thread.ofPlatform().daemon().name("pipeline-watcher").unstarted(this::watch);
    private EmbeddedBroker broker;
    private boolean ready;

    private Pipeline(DataFolder data, Installation installation, Map<String, String> extraEnvironment, Consumer<String> events,
            FileChannel lockFile) {
        this.data = data;
        this.events = events;
        this.installation = installation;
        this.extraEnvironment = Map.copyOf(extraEnvironment);
        this.lockFile = lockFile;
        this.ports = new Ports(data);
    }

    /// Starts the broker, then the services, and waits until all are ready.
    ///
    /// @param environment added to the services' environment
    /// @param events told in a sentence when a process had to be started again
    /// @throws CliException if another pipeline uses the folder or something does not come up; nothing is left running
    public static Pipeline start(DataFolder data, Installation installation, Map<String, String> environment,
            Consumer<String> events) {
        data.create();
        for (var kind : ServiceKind.values()) {
            installation.runnable(kind);
        }
        var pipeline = new Pipeline(data, installation, environment, events, lock(data));
        try {
            pipeline.endOrphans();
            pipeline.startAll();
            pipeline.watcher.start();
            return pipeline;
        } catch (IOException e) {
            pipeline.close();
            throw new CliException(ExitCode.FAILED, "the pipeline did not start: " + e.getMessage(), e);
        } catch (InterruptedException e) {
            pipeline.close();
            Thread.currentThread().interrupt();
            throw new CliException(ExitCode.FAILED, "interrupted while starting the pipeline", e);
        } catch (RuntimeException e) {
            pipeline.close();
            throw e;
        }
    }

    /// A supervisor that was killed leaves its children behind; the lock is ours now, so they go before we start anew.
    private void endOrphans() {
        PipelineStatus.read(data).ifPresent(left -> left.processes().forEach(
                process -> process.handle().ifPresent(ProcessHandle::destroyForcibly)));
    }

    private static FileChannel lock(DataFolder data) {
        try {
            var channel = FileChannel.open(data.lock(), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            FileLock lock = channel.tryLock();
            if (lock == null) {
                channel.close();
                throw inUse(data);
            }
            return channel;
        } catch (OverlappingFileLockException e) {
            throw inUse(data);
        } catch (IOException e) {
            throw new CliException(ExitCode.FAILED, "cannot lock " + data.root() + ": " + e.getMessage(), e);
        }
    }

    private static CliException inUse(DataFolder data) {
        return new CliException(ExitCode.FAILED, "a pipeline already runs in " + data.root()
                + "; use it, stop it with ./sluice down, or choose another folder with --data");
    }

    private void startAll() throws IOException, InterruptedException {
        broker = EmbeddedBroker.start(data.broker(), ports.of(BROKER), BrokerLifetime.WITH_PARENT);
        broker.awaitReady(START_LIMIT);
        for (var kind : ServiceKind.values()) {
            launch(kind);
        }
        publish();
        awaitReady();
        ready = true;
        publish();
    }

    private void launch(ServiceKind kind) throws IOException {
        services.put(kind, ServiceProcess.start(kind, ports.of(kind.title()), installation, data, environment(kind)));
    }

    private Map<String, String> environment(ServiceKind kind) {
        var environment = new HashMap<String, String>();
        environment.put("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrapServers());
        environment.put("SLUICE_STORE", data.store().toString());
        environment.put("SLUICE_TOPIC_PREFIX", topicPrefix());
        environment.put("SLUICE_REPLICATION_FACTOR", "1");
        environment.put("SLUICE_SCRATCH", data.scratch(kind.title()).toString());
        environment.putAll(extraEnvironment);
        return environment;
    }

    private void awaitReady() {
        Instant limit = Instant.now().plus(START_LIMIT);
        var waiting = new ArrayList<>(services.values());
        while (!waiting.isEmpty()) {
            for (var service : waiting) {
                if (!service.isAlive()) {
                    throw new CliException(ExitCode.FAILED, service.kind().title() + " stopped while starting (exit code "
                            + service.exitValue() + "):\n" + LogTail.of(ServiceProcess.log(service.kind(), data)));
                }
            }
            waiting.removeIf(ServiceProcess::isReady);
            if (Instant.now().isAfter(limit)) {
                throw new CliException(ExitCode.FAILED, waiting.getFirst().kind().title() + " was not ready after "
                        + START_LIMIT.toSeconds() + " s; its log is " + ServiceProcess.log(waiting.getFirst().kind(), data));
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(100));
        }
    }

    private void watch() {
        try {
            while (true) {
                Thread.sleep(WATCH_INTERVAL);
                revive();
            }
        } catch (InterruptedException closing) {
            // The end of watching, nothing to keep.
        }
    }

    /// Starts again what has died.
    private void revive() throws InterruptedException {
        var revived = new ArrayList<String>();
        try {
            if (!broker.isAlive()) {
                broker.restart();
                broker.awaitReady(START_LIMIT);
                revived.add(BROKER);
            }
            for (var kind : ServiceKind.values()) {
                if (!services.get(kind).isAlive()) {
                    launch(kind);
                    revived.add(kind.title());
                }
            }
            if (!revived.isEmpty()) {
                revived.forEach(name -> restarts.merge(name, 1, Integer::sum));
                publish();
                events.accept(String.join(", ", revived) + " had died and was started again");
            }
        } catch (IOException e) {
            events.accept("could not start a dead process again, trying on: " + e.getMessage());
        }
    }

    public PipelineStatus status() {
        var processes = new ArrayList<PipelineStatus.ProcessStatus>();
        processes.add(status(BROKER, broker.pid(), broker.port()));
        services.forEach((kind, process) -> processes.add(status(kind.title(), process.pid(), process.port())));
        long self = ProcessHandle.current().pid();
        return new PipelineStatus(self, started(self), broker.bootstrapServers(), topicPrefix(), ready, processes);
    }

    private PipelineStatus.ProcessStatus status(String name, long pid, int port) {
        return new PipelineStatus.ProcessStatus(name, pid, started(pid), port, restarts.getOrDefault(name, 0));
    }

    private static Instant started(long pid) {
        return ProcessHandle.of(pid).flatMap(handle -> handle.info().startInstant()).orElse(Instant.EPOCH);
    }

    private String topicPrefix() {
        return extraEnvironment.getOrDefault("SLUICE_TOPIC_PREFIX", "sluice");
    }

    private void publish() throws IOException {
        status().write(data);
    }

    /// Stops the services, the trainer first so that it can save and say so, then the broker.
    @Override
    public void close() {
        endWatching();
        stop(ServiceKind.TRAINER);
        stop(ServiceKind.EVALUATOR);
        stop(ServiceKind.INGEST);
        if (broker != null) {
            broker.close();
        }
        try {
            Files.deleteIfExists(data.status());
            lockFile.close();
        } catch (IOException e) {
            throw new CliException(ExitCode.FAILED, "cannot tidy " + data.root() + ": " + e.getMessage(), e);
        }
    }

    private void endWatching() {
        watcher.interrupt();
        try {
            watcher.join(START_LIMIT);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void stop(ServiceKind kind) {
        var process = services.remove(kind);
        if (process != null) {
            process.stop(STOP_GRACE);
        }
    }
}
