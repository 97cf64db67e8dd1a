package dev.sluice.evaluator;

import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.evaluation.Promotion;
import dev.sluice.contracts.wire.EventWriter;
import dev.sluice.evaluator.device.Device;
import dev.sluice.evaluator.observe.EvaluatorMetrics;
import dev.sluice.evaluator.promotion.Decisions;
import dev.sluice.evaluator.promotion.Registry;
import dev.sluice.evaluator.retrain.Retraining;
import dev.sluice.evaluator.scoring.Scorer;
import dev.sluice.evaluator.scoring.Sides;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jboss.logging.Logger;

/// The evaluator while it has a broker and is the only writer: takes one adapter at a time, and between two looks whether
/// a retraining is due. Everything it knows comes from the log, so the next session goes on where this one ends.
public final class Session implements AutoCloseable {

    private static final Logger LOG = Logger.getLogger(Session.class);
    private static final Duration LOOK = Duration.ofMillis(200);
    private static final Duration IDLE = Duration.ofSeconds(1);

    private final Life life;
    private final EvaluatorMetrics metrics;
    private final Views views;
    private final Registry registry;
    private final Queue queue;
    private final Evaluations evaluations;
    private final Retraining retraining;
    private final Semaphore changes = new Semaphore(1);

    /// Claims the pipeline's transactional id, which ends every earlier evaluator, and only then reads the log.
    Session(Environment environment, Device device, Life life, EvaluatorMetrics metrics) {
        this.life = life;
        this.metrics = metrics;
        var producer = environment.connection().transactional(environment.topics().scoped("evaluator"));
        views = Views.open(environment.connection(), environment.topics());
        registry = new Registry(producer, new EventWriter(environment.topics(), "/sluice/evaluator"), views.promotions(), views.scores(), views.jobs());
        queue = new Queue(views, registry);
        var sides = new Sides(device, environment.store(), environment.scratch(), life::beat);
        var scorer = new Scorer(device, sides, environment.store(), environment.bootstrap(), environment.maxNewTokens());
        evaluations = new Evaluations(environment, views, registry, queue, scorer, metrics);
        retraining = new Retraining(environment.retrain(), views, registry, queue::isUndecided);
    }

    /// Works until the evaluator is told to stop.
    void run() throws InterruptedException {
        views.onChange(this::wake);
        while (!views.awaitCaughtUp(LOOK)) {
            life.beat();
        }
        life.running();
        LOG.infof("evaluator is ready: %d adapters known, %d wait for their score", views.adapters().snapshot().size(), queue.waiting().size());
        while (views.areRunning()) {
            life.beat();
            registry.requireUsable();
            Optional<AdapterPublished> adapter = queue.next(Instant.now());
            if (adapter.isPresent()) {
                evaluations.evaluate(adapter.get());
            }
            retraining.check(Instant.now());
            if (adapter.isEmpty() && changes.tryAcquire(IDLE.toMillis(), TimeUnit.MILLISECONDS)) {
                changes.drainPermits();
            }
        }
        throw new IllegalStateException("a view of the log has stopped; reading it anew");
    }

    /// Ends a wait for changes.
    void wake() {
        changes.release();
    }

    public Views views() {
        return views;
    }

    public Queue queue() {
        return queue;
    }

    public Retraining retraining() {
        return retraining;
    }

    /// Points an alias back to the champion before this one.
    ///
    /// @param expectedVersion version of the decision that the request was made in view of, or null for the latest
    public Rollback rollback(String alias, Long expectedVersion, String actor, String reason) throws InterruptedException {
        Optional<Promotion> latest = registry.latest(alias);
        if (latest.isEmpty()) {
            return new Rollback.UnknownAlias();
        }
        if (expectedVersion != null && expectedVersion != latest.get().version()) {
            return new Rollback.Changed(latest.get().version());
        }
        Optional<Promotion> back = Decisions.rollback(latest.get(), views.adapters()::get, actor, reason, Instant.now());
        if (back.isEmpty()) {
            return new Rollback.NothingBefore();
        }
        if (!registry.decide(List.of(), back.get())) {
            return new Rollback.Changed(latest.get().version() + 1);
        }
        metrics.decided(back.get());
        LOG.infof("alias %s rolled back to %s by %s", alias, back.get().championId() == null ? "the base model" : back.get().championId(), actor);
        return new Rollback.Done(back.get());
    }

    @Override
    public void close() {
        views.close();
        registry.close();
    }
}
