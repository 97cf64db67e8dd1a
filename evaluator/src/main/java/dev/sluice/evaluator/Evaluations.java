package dev.sluice.evaluator;

import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.dataset.PreparedDataset;
import dev.sluice.contracts.evaluation.Promotion;
import dev.sluice.contracts.evaluation.Score;
import dev.sluice.contracts.evaluation.Unscored;
import dev.sluice.contracts.evaluation.Waiting;
import dev.sluice.contracts.log.FencedException;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.evaluator.failure.EvaluationException;
import dev.sluice.evaluator.failure.Failure;
import dev.sluice.evaluator.observe.EvaluatorMetrics;
import dev.sluice.evaluator.policy.Evidence;
import dev.sluice.evaluator.policy.Policy;
import dev.sluice.evaluator.promotion.Decisions;
import dev.sluice.evaluator.promotion.Registry;
import dev.sluice.evaluator.scoring.Scorer;
import dev.sluice.evaluator.scoring.Suite;
import dev.sluice.model.InvalidFileException;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import org.jboss.logging.Logger;

/// Takes an adapter through: rows, scores, decision, one transaction. Whatever happens to one adapter, the next has its turn.
final class Evaluations {

    private static final Logger LOG = Logger.getLogger(Evaluations.class);

    private final Environment environment;
    private final Views views;
    private final Registry registry;
    private final Queue queue;
    private final Scorer scorer;
    private final EvaluatorMetrics metrics;

    Evaluations(Environment environment, Views views, Registry registry, Queue queue, Scorer scorer, EvaluatorMetrics metrics) {
        this.environment = environment;
        this.views = views;
        this.registry = registry;
        this.queue = queue;
        this.scorer = scorer;
        this.metrics = metrics;
    }

    void evaluate(AdapterPublished adapter) throws InterruptedException {
        try {
            score(adapter);
            queue.done(adapter);
        } catch (FencedException | CancellationException e) {
            throw e;
        } catch (IOException | RuntimeException | OutOfMemoryError e) {
            failed(adapter, Failure.of(e), e);
        }
    }

    private void score(AdapterPublished adapter) throws IOException, InterruptedException {
        long started = System.nanoTime();
        PreparedDataset prepared = views.prepared(adapter.preparedId()).orElseThrow(() -> new EvaluationException(new Failure.Missing(
                "prepared dataset " + adapter.preparedId() + " is not in " + environment.topics().name(Topic.DATASETS))));
        if (prepared.heldout().trainedTokens() == 0) {
            withoutScore(adapter, new Evidence.NothingHeldOut(), unscored(adapter, "its " + prepared.heldout().rows()
                    + " rows have no trained token; hold out more: heldout.fraction, or a dataset of its own", false));
            return;
        }
        Suite suite = Suite.read(environment.connection(), environment.topics(), prepared);
        Score base = scorer.besideBase(adapter, suite);
        if (adapter.evaluation().alias() == null) {
            registry.publish(List.of(base));
        } else {
            decide(adapter, suite, base);
        }
        metrics.scored(adapter, base);
        LOG.infof("scored adapter %s on %d rows in %d ms: %s %.6f -> %.6f", adapter.adapterId(), base.rows(),
                Duration.ofNanos(System.nanoTime() - started).toMillis(), base.paired().metric(), base.paired().baseline(), base.paired().candidate());
    }

    /// Until no other decision comes in between: a rollback may, while the champion is scored.
    private void decide(AdapterPublished adapter, Suite suite, Score base) throws IOException, InterruptedException {
        Promotion next;
        List<Score> scores;
        do {
            Optional<Promotion> latest = registry.latest(adapter.evaluation().alias());
            scores = new ArrayList<>(List.of(base));
            Evidence evidence = evidence(adapter, suite, base, latest.map(Promotion::championId), scores);
            next = Decisions.next(latest, adapter, policy(adapter).judge(evidence), Instant.now());
        } while (!registry.decide(scores, next));
        decided(next);
    }

    /// @param scores takes the score beside the champion, where there is one
    private Evidence evidence(AdapterPublished adapter, Suite suite, Score base, Optional<String> championId, List<Score> scores) throws IOException {
        if (championId.isEmpty()) {
            return new Evidence.Compared(base.paired(), "the base model");
        }
        Optional<AdapterPublished> champion = views.adapters().get(championId.get());
        if (champion.isEmpty()) {
            return new Evidence.ChampionUnscorable(base.rows(), "champion " + championId.get() + " is not in the log any more; roll the alias back");
        }
        if (!champion.get().baseModel().sha256().equals(adapter.baseModel().sha256())) {
            return new Evidence.Compared(base.paired(), "the base model (champion " + championId.get() + " adapts another one)");
        }
        try {
            Score beside = scorer.beside(champion.get(), adapter, suite);
            scores.add(beside);
            return new Evidence.Compared(beside.paired(), "champion " + championId.get());
        } catch (IOException | EvaluationException | InvalidFileException e) {
            Failure failure = Failure.of(e);
            if (environment.retry().allows(failure, queue.tries(adapter) + 1)) {
                throw e;
            }
            return new Evidence.ChampionUnscorable(base.rows(), "champion " + championId.get() + " cannot be scored: " + failure.reason());
        }
    }

    private void failed(AdapterPublished adapter, Failure failure, Throwable thrown) throws InterruptedException {
        metrics.failed(failure);
        int tries = queue.tries(adapter) + 1;
        if (environment.retry().allows(failure, tries)) {
            Duration pause = environment.retry().pause(tries);
            LOG.warnf("adapter %s cannot be scored yet (try %d, next in %d s): %s", adapter.adapterId(), tries, pause.toSeconds(), failure.reason());
            LOG.debug("what happened", thrown);
            queue.later(adapter, Instant.now(), pause);
            waitsFor(adapter, failure);
            return;
        }
        Unscored unscored = unscored(adapter, failure.reason(), failure.isMendable());
        LOG.error(unscored.reason());
        LOG.debug("what happened", thrown);
        withoutScore(adapter, new Evidence.Unscorable(unscored.reason()), unscored);
    }

    /// Says once per reason what the score waits for, unless the job has its answer from an evaluator before this one.
    private void waitsFor(AdapterPublished adapter, Failure failure) throws InterruptedException {
        String reason = cannotScore(adapter) + " yet: " + failure.reason() + "; until then the evaluator goes on trying";
        if (registry.unscored(adapter).isEmpty() && !registry.waiting(adapter).map(Waiting::reason).equals(Optional.of(reason))) {
            registry.publish(List.of(new Waiting(adapter.adapterId(), adapter.jobId(), adapter.preparedId(), reason, Instant.now())));
        }
    }

    private static Unscored unscored(AdapterPublished adapter, String why, boolean retryable) {
        return new Unscored(adapter.adapterId(), adapter.jobId(), adapter.preparedId(), cannotScore(adapter) + ": " + why
                + (retryable ? "; once that is mended, restart the evaluator: it tries again" : ""), retryable, Instant.now());
    }

    private static String cannotScore(AdapterPublished adapter) {
        return "cannot score adapter " + adapter.adapterId() + " of job " + adapter.jobId() + " on the held-out rows of " + adapter.preparedId();
    }

    /// Says so once: what the log has of this job's adapter already, an evaluator before this one has published.
    private void withoutScore(AdapterPublished adapter, Evidence evidence, Unscored unscored) throws InterruptedException {
        if (registry.unscored(adapter).isEmpty()) {
            publish(adapter, evidence, unscored);
        }
        queue.giveUp(adapter);
    }

    private void publish(AdapterPublished adapter, Evidence evidence, Unscored unscored) throws InterruptedException {
        String alias = adapter.evaluation().alias();
        if (alias == null) {
            registry.publish(List.of(unscored));
            return;
        }
        Promotion next;
        do {
            next = Decisions.next(registry.latest(alias), adapter, policy(adapter).judge(evidence), Instant.now());
        } while (!registry.decide(List.of(unscored), next));
        decided(next);
    }

    private void decided(Promotion promotion) {
        metrics.decided(promotion);
        LOG.infof("alias %s: %s of %s, champion is %s", promotion.alias(), promotion.decision(), promotion.candidateId(),
                promotion.championId() == null ? "the base model" : promotion.championId());
    }

    private Policy policy(AdapterPublished adapter) {
        return Policy.of(adapter.evaluation(), environment.bootstrap());
    }
}
