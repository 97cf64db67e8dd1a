package dev.sluice.trainer;

import dev.sluice.compute.Backends;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.store.ArtifactStore;
import dev.sluice.contracts.topic.TopicAdmin;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.EventWriter;
import dev.sluice.model.decoder.MemoryWish;
import dev.sluice.trainer.control.ControlLog;
import dev.sluice.trainer.device.Device;
import dev.sluice.trainer.observe.Pulse;
import dev.sluice.trainer.observe.TrainerMetrics;
import dev.sluice.trainer.observe.TrainerView;
import dev.sluice.trainer.ownership.Claims;
import dev.sluice.trainer.ownership.JobLease;
import dev.sluice.trainer.ownership.JobTable;
import dev.sluice.trainer.progress.ProgressLog;
import dev.sluice.trainer.run.ModelRoots;
import dev.sluice.trainer.run.Prepared;
import dev.sluice.trainer.run.Workshop;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.KafkaException;
import org.eclipse.microprofile.config.Config;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jboss.logging.Logger;

/// The trainer's life: starts the device thread, waits for the broker there, takes jobs, and on SIGTERM saves, releases
/// and ends.
@ApplicationScoped
public class TrainerService implements TrainerView {

    private static final Logger LOG = Logger.getLogger(TrainerService.class);
    private static final Duration BROKER_PAUSE = Duration.ofSeconds(1);
    private static final Duration LOOK_AGAIN = Duration.ofMillis(200);
    private static final int DEVICE_LOST = 3;

    private final TrainerConfig config;
    private final KafkaConnection connection;
    private final Topics topics;
    private final EventWriter events;
    private final TrainerMetrics metrics;
    private final String version;
    private final String owner;
    private final Pulse pulse = new Pulse();
    private Thread deviceThread;
    private volatile Trainer trainer;
    private volatile JobTable jobs;
    private volatile boolean stopping;

    TrainerService(TrainerConfig config, Config all, MeterRegistry registry,
            @ConfigProperty(name = "quarkus.application.version") String version) {
        this.config = config;
        this.connection = KafkaConnection.configured("sluice-trainer", key -> all.getOptionalValue(key, String.class));
        this.topics = new Topics(config.topicPrefix());
        this.metrics = new TrainerMetrics(registry);
        this.version = version;
        this.owner = config.trainer().name() + "-" + UUID.randomUUID().toString().substring(0, 8);
        this.events = new EventWriter(topics, "/sluice/trainer/" + owner);
        if (config.trainer().lease().compareTo(Duration.ofSeconds(1)) < 0) {
            throw new IllegalArgumentException("sluice.trainer.lease must be at least PT1S, was " + config.trainer().lease());
        }
    }

    void start(@Observes StartupEvent event) {
        ArtifactStore store = ArtifactStore.open(config.store()); // a wrong address ends the start, not the first job
        deviceThread = Thread.ofPlatform().daemon().name("device").unstarted(() -> live(store));
        deviceThread.start();
    }

    void stop(@Observes ShutdownEvent event) throws InterruptedException {
        stopping = true;
        Optional<Trainer> running = Optional.ofNullable(trainer);
        running.ifPresent(Trainer::stop);
        if (!deviceThread.join(config.trainer().grace())) {
            LOG.errorf("the job did not end within %s: giving up, its lease will run out", config.trainer().grace());
            running.ifPresent(Trainer::close);
        }
    }

    @Override
    public String owner() {
        return owner;
    }

    @Override
    public Pulse pulse() {
        return pulse;
    }

    @Override
    public KafkaConnection connection() {
        return connection;
    }

    @Override
    public Optional<JobTable> jobs() {
        return Optional.ofNullable(jobs);
    }

    @Override
    public Optional<JobState> current() {
        return Optional.ofNullable(trainer).flatMap(Trainer::current).map(JobLease::state);
    }

    /// The device thread's whole life.
    private void live(ArtifactStore store) {
        try (var device = new Device(config.tune() ? config.speeds() : null, metrics::backend)) {
            createTopics();
            if (!stopping) {
                work(device, store);
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        } catch (RuntimeException e) {
            LOG.errorf(e, "the trainer cannot go on");
            Quarkus.asyncExit(1);
        }
    }

    private void work(Device device, ArtifactStore store) throws InterruptedException {
        try (var table = new JobTable(connection, topics);
                var prepared = new Prepared(connection, topics);
                var progress = new ProgressLog(connection, events);
                var control = new ControlLog(connection, topics)) {
            var shop = new Workshop(device, config.backend().orElseGet(() -> Backends.requested(System.getenv())),
                    ModelRoots.of(config.models().orElse(List.of())), prepared, table, store, events, progress, metrics, pulse, config.graphs(),
                    config.scratch(), config.trainer().checkpointInterval(),
                    MemoryWish.of(config.trainer().memory().policy(), config.trainer().memory().budget().orElse(null)),
                    config.trainer().memory().optimizerState(), version);
            var claims = new Claims(connection, topics, events, table, owner, config.trainer().lease(), pulse);
            if (awaitLoaded(table, control)) {
                metrics.countJobs(table::count);
                trainer = new Trainer(new Trainer.Parts(shop, claims, control, config.trainer().retryAfter(),
                        () -> Quarkus.asyncExit(DEVICE_LOST)));
                jobs = table;
                LOG.infof("trainer %s is ready, lease %s", owner, config.trainer().lease());
                run(trainer);
            }
        }
    }

    private void run(Trainer ready) throws InterruptedException {
        if (stopping) {
            ready.stop();
        }
        ready.run();
    }

    /// The topics are ingest's to create; when we are first, we do.
    private void createTopics() throws InterruptedException {
        while (!stopping) {
            pulse.beat();
            try (Admin admin = connection.admin()) {
                new TopicAdmin(admin, topics).createMissing(config.replicationFactor());
                return;
            } catch (KafkaException e) {
                LOG.warnf("waiting for the broker at %s: %s", connection.bootstrapServers(), e.getMessage());
                Thread.sleep(BROKER_PAUSE);
            }
        }
    }

    /// Nothing is claimed before all jobs and all cancellations are known.
    private boolean awaitLoaded(JobTable table, ControlLog control) throws InterruptedException {
        while (!stopping && !(table.awaitLoaded(LOOK_AGAIN) && control.awaitLoaded(LOOK_AGAIN))) {
            pulse.beat();
        }
        return !stopping;
    }
}
