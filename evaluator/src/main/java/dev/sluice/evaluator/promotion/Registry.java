package dev.sluice.evaluator.promotion;

import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.evaluation.Promotion;
import dev.sluice.contracts.evaluation.Score;
import dev.sluice.contracts.evaluation.ScoreEvent;
import dev.sluice.contracts.evaluation.Unscored;
import dev.sluice.contracts.evaluation.Waiting;
import dev.sluice.contracts.job.JobSpec;
import dev.sluice.contracts.log.CompactedView;
import dev.sluice.contracts.log.Transaction;
import dev.sluice.contracts.log.TransactionalProducer;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.wire.EventWriter;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.apache.kafka.common.errors.TimeoutException;

/// The only writer of scores, promotions and retraining jobs. Its transactional id is the pipeline's, so a second
/// evaluator that starts fences the first; what belongs together is one transaction.
///
/// Safe for several threads.
public final class Registry implements AutoCloseable {

    private static final Duration REFRESH = Duration.ofSeconds(30);

    private final TransactionalProducer producer;
    private final EventWriter events;
    private final CompactedView<Promotion> promotions;
    private final CompactedView<ScoreEvent> scores;
    private final CompactedView<JobSpec> jobs;
    private volatile RuntimeException broken;

    /// @param producer that has just claimed the pipeline's id; closed with this
    public Registry(TransactionalProducer producer, EventWriter events, CompactedView<Promotion> promotions, CompactedView<ScoreEvent> scores,
            CompactedView<JobSpec> jobs) {
        this.producer = producer;
        this.events = events;
        this.promotions = promotions;
        this.scores = scores;
        this.jobs = jobs;
    }

    /// The latest decision about an alias, committed by whomever until now.
    public Optional<Promotion> latest(String alias) throws InterruptedException {
        refresh(promotions);
        return promotions.get(alias);
    }

    /// Publishes what no decision follows from.
    public synchronized void publish(List<? extends ScoreEvent> made) throws InterruptedException {
        commit(transaction -> made.forEach(score -> transaction.send(events.message(Topic.SCORES, score.key(), score))));
        refresh(scores);
    }

    /// Publishes a decision with what it rests on, unless another decision about the alias came first.
    ///
    /// @param next the decision; its version must be one above that of the decision it was made in view of
    /// @return whether it was published; if not, the alias has changed, and the decision must be made anew
    public synchronized boolean decide(List<? extends ScoreEvent> made, Promotion next) throws InterruptedException {
        if (latest(next.alias()).map(Promotion::version).orElse(0L) != next.version() - 1) {
            return false;
        }
        commit(transaction -> {
            made.forEach(score -> transaction.send(events.message(Topic.SCORES, score.key(), score)));
            transaction.send(events.message(Topic.PROMOTIONS, next.alias(), next));
        });
        refresh(promotions);
        refresh(scores);
        return true;
    }

    /// Publishes a job, unless one with its id was published before.
    ///
    /// @return whether it was
    public synchronized boolean submit(JobSpec job) throws InterruptedException {
        refresh(jobs);
        if (jobs.get(job.jobId()).isPresent()) {
            return false;
        }
        commit(transaction -> transaction.send(events.message(Topic.JOBS, job.jobId(), job)));
        refresh(jobs);
        return true;
    }

    /// Throws what the last commit failed with: whoever sees it claims anew, or, when fenced, ends.
    public void requireUsable() {
        if (broken != null) {
            throw broken;
        }
    }

    private void commit(Consumer<Transaction> work) {
        requireUsable();
        try {
            producer.commit(work);
        } catch (RuntimeException e) {
            broken = e;
            throw e;
        }
    }

    @Override
    public synchronized void close() {
        producer.close();
    }

    /// Whether an adapter has been scored beside its base model.
    public boolean isScored(AdapterPublished adapter) {
        return found(adapter).filter(Score.class::isInstance).isPresent();
    }

    /// Why an adapter got no score, where the log says so of this very job's.
    public Optional<Unscored> unscored(AdapterPublished adapter) {
        return ofThisJob(adapter, Unscored.class);
    }

    /// What the score waits for, where the log says so of this very job's.
    public Optional<Waiting> waiting(AdapterPublished adapter) {
        return ofThisJob(adapter, Waiting.class);
    }

    /// Whether the log has anything of an adapter's files beside their base model, whichever job published them.
    public boolean isKnown(AdapterPublished adapter) {
        return found(adapter).isPresent();
    }

    private <T extends ScoreEvent> Optional<T> ofThisJob(AdapterPublished adapter, Class<T> type) {
        return found(adapter).filter(type::isInstance).map(type::cast).filter(event -> event.jobId().equals(adapter.jobId()));
    }

    private Optional<ScoreEvent> found(AdapterPublished adapter) {
        return scores.get(Score.key(adapter.adapterId(), adapter.preparedId(), Score.BASE));
    }

    private static void refresh(CompactedView<?> view) throws InterruptedException {
        if (!view.refreshToEnd(REFRESH)) {
            throw new TimeoutException("read back what was committed: not at the end of the log after " + REFRESH.toSeconds()
                    + " s; is the broker up?");
        }
    }
}
