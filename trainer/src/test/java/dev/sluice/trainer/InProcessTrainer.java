package dev.sluice.trainer;

import dev.sluice.contracts.wire.EventWriter;
import dev.sluice.model.decoder.MemoryWish;
import dev.sluice.model.decoder.OptimizerChoice;
import dev.sluice.trainer.control.ControlLog;
import dev.sluice.trainer.device.Device;
import dev.sluice.trainer.fixture.TestPipeline;
import dev.sluice.trainer.observe.Pulse;
import dev.sluice.trainer.observe.TrainerMetrics;
import dev.sluice.trainer.ownership.Claims;
import dev.sluice.trainer.ownership.JobTable;
import dev.sluice.trainer.progress.ProgressLog;
import dev.sluice.trainer.run.ModelRoots;
import dev.sluice.trainer.run.Prepared;
import dev.sluice.trainer.run.Workshop;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.List;

/// A trainer on a thread of the test's JVM, made of the parts that the service makes it of.
final class InProcessTrainer implements AutoCloseable {

    static final Duration LEASE = Duration.ofSeconds(3);

    private final TestPipeline pipeline;
    private final String owner;
    private final OptimizerChoice optimizer;
    private final Thread thread;
    private volatile Trainer trainer;
    private volatile boolean stopping;
    private volatile Throwable failure;

    InProcessTrainer(TestPipeline pipeline, String owner) {
        this(pipeline, owner, OptimizerChoice.AUTO);
    }

    InProcessTrainer(TestPipeline pipeline, String owner, OptimizerChoice optimizer) {
        this.pipeline = pipeline;
        this.owner = owner;
        this.optimizer = optimizer;
        this.thread = Thread.ofPlatform().daemon().name("device-" + owner).start(this::live);
    }

    private void live() {
        var connection = pipeline.connection();
        var topics = pipeline.topics();
        var events = new EventWriter(topics, "/test/" + owner);
        var metrics = new TrainerMetrics(new SimpleMeterRegistry());
        var pulse = new Pulse();
        try (var device = new Device(null, metrics::backend);
                var table = new JobTable(connection, topics);
                var prepared = new Prepared(connection, topics);
                var progress = new ProgressLog(connection, events);
                var control = new ControlLog(connection, topics)) {
            var shop = new Workshop(device, "cpu", ModelRoots.of(List.of()), prepared, table, pipeline.store(), events, progress, metrics,
                    pulse, true, pipeline.folder().resolve("scratch-" + owner), Duration.ofMinutes(1), MemoryWish.AUTO,
                    optimizer, "test");
            var claims = new Claims(connection, topics, events, table, owner, LEASE, pulse);
            table.awaitLoaded(Duration.ofSeconds(30));
            control.awaitLoaded(Duration.ofSeconds(30));
            trainer = new Trainer(new Trainer.Parts(shop, claims, control, Duration.ofSeconds(1), () -> { }));
            if (!stopping) {
                trainer.run();
            }
        } catch (Throwable e) {
            failure = e;
        }
    }

    /// As SIGTERM would: saves, releases, ends.
    @Override
    public void close() throws InterruptedException {
        stopping = true;
        if (trainer != null) {
            trainer.stop();
        }
        if (!thread.join(Duration.ofSeconds(30))) {
            throw new AssertionError("trainer " + owner + " did not stop");
        }
        if (failure != null) {
            throw new AssertionError("trainer " + owner + " failed", failure);
        }
    }
}
