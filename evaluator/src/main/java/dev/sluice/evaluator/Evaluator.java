package dev.sluice.evaluator;

import dev.sluice.contracts.log.FencedException;
import dev.sluice.contracts.topic.TopicAdmin;
import dev.sluice.evaluator.device.Device;
import dev.sluice.evaluator.observe.EvaluatorMetrics;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import org.jboss.logging.Logger;

/// The evaluator's thread: owns the device, and lives in sessions. A session that fails, because the broker went away for
/// instance, is followed by the next.
public final class Evaluator implements AutoCloseable {

    private static final Logger LOG = Logger.getLogger(Evaluator.class);
    private static final Duration PAUSE = Duration.ofSeconds(1);
    private static final Duration STOP_TIMEOUT = Duration.ofSeconds(60);

    private final Environment environment;
    private final EvaluatorMetrics metrics;
    private final Life life = new Life();
    private final Thread thread = Thread.ofPlatform().daemon().name("evaluator").unstarted(this::live);
    private volatile Session session;

    public Evaluator(Environment environment, EvaluatorMetrics metrics) {
        this.environment = environment;
        this.metrics = metrics;
    }

    public Evaluator start() {
        thread.start();
        return this;
    }

    public Life life() {
        return life;
    }

    /// The running session, or empty while there is no broker and after the end.
    public Optional<Session> session() {
        return Optional.ofNullable(session).filter(_ -> life.state() == Life.State.RUNNING);
    }

    /// Ends after the row that is being scored.
    @Override
    public void close() {
        life.stop();
        Optional.ofNullable(session).ifPresent(Session::wake);
        try {
            if (!thread.join(STOP_TIMEOUT)) {
                LOG.warnf("the evaluator's thread did not end within %d s", STOP_TIMEOUT.toSeconds());
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    private void live() {
        try (var device = new Device(environment.models(), environment.backend())) {
            while (!life.isStopping()) {
                session(device);
            }
            life.ended(Life.State.STOPPED);
        } catch (FencedException e) {
            LOG.errorf("another evaluator has taken over; this one stops. Run one only: %s", e.getMessage());
            life.ended(Life.State.FENCED);
        } catch (InterruptedException _) {
            life.ended(Life.State.STOPPED);
        }
    }

    private void session(Device device) throws InterruptedException {
        life.starting();
        try {
            createTopics();
            try (var opened = new Session(environment, device, life, metrics)) {
                session = opened;
                opened.run();
            } finally {
                session = null;
            }
        } catch (CancellationException _) {
            LOG.info("the evaluator stops");
        } catch (FencedException e) {
            throw e;
        } catch (RuntimeException e) {
            LOG.warnf(e, "the evaluator starts anew in %d ms: %s", PAUSE.toMillis(), e.getMessage());
            Thread.sleep(PAUSE);
        }
    }

    /// The topics are ingest's to create; when the evaluator is first, it does.
    private void createTopics() {
        try (var admin = environment.connection().admin()) {
            new TopicAdmin(admin, environment.topics()).createMissing(environment.replicationFactor());
        }
    }
}
