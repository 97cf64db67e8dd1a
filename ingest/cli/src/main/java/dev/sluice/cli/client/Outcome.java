package dev.sluice.cli.client;

import dev.sluice.cli.CliException;
import dev.sluice.cli.ExitCode;
import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.dataset.DatasetEvent;
import dev.sluice.contracts.dataset.PreparedDataset;
import dev.sluice.contracts.evaluation.Promotion;
import dev.sluice.contracts.evaluation.Score;
import dev.sluice.contracts.evaluation.ScoreEvent;
import dev.sluice.contracts.evaluation.Unscored;
import dev.sluice.contracts.evaluation.Verdict;
import dev.sluice.contracts.evaluation.Waiting;
import dev.sluice.contracts.job.JobState;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.Supplier;

/// What a succeeded job came to: the adapter, its score beside the base model, the decision about it.
///
/// @param score null when no rows were held out, or when it could not be made
/// @param unscored why it could not be made, or null
/// @param promotion null when the job names no alias or no rows were held out
public record Outcome(AdapterPublished adapter, PreparedDataset prepared, Score score, Unscored unscored, Promotion promotion) {
    /// For what was written before, or together with, what has been read.
    private static final Duration WRITTEN = Duration.ofSeconds(10);

    /// Collects the outcome, waiting for the evaluator where it has something to say.
    ///
    /// @param patience how long the evaluator may take
    /// @param listener told at every look what the score waits for
    public static Outcome await(Client client, JobState succeeded, Duration patience, Consumer<Waiting> listener) {
        var adapter = await(() -> client.adapters().get(succeeded.adapterId()), WRITTEN, "the adapter's message");
        DatasetEvent event = await(() -> client.datasets().get(adapter.preparedId()), WRITTEN, "the prepared dataset's message");
        if (!(event instanceof PreparedDataset prepared)) {
            throw new CliException(ExitCode.FAILED, "topic datasets.v1 holds no prepared dataset under " + adapter.preparedId());
        }
        if (prepared.heldout().rows() == 0) {
            return new Outcome(adapter, prepared, null, null, null);
        }
        Verdict verdict = await(() -> verdict(client, adapter, listener), patience, "the evaluator's score");
        String alias = adapter.evaluation().alias();
        Promotion promotion = alias == null ? null : await(() -> decision(client, alias, verdict), WRITTEN, "the evaluator's decision");
        return switch (verdict) {
            case Score score -> new Outcome(adapter, prepared, score, null, promotion);
            case Unscored unscored -> new Outcome(adapter, prepared, null, unscored, promotion);
        };
    }

    /// The score beside the base model, or why there is none: not that of an earlier job, which made the same files.
    private static Optional<Verdict> verdict(Client client, AdapterPublished adapter, Consumer<Waiting> listener) {
        return switch (client.scores().get(Score.key(adapter.adapterId(), adapter.preparedId(), Score.BASE)).orElse(null)) {
            case null -> Optional.empty();
            case Score score -> Optional.of(score);
            case ScoreEvent other when !other.jobId().equals(adapter.jobId()) -> Optional.empty();
            case Unscored unscored -> Optional.of(unscored);
            case Waiting waiting -> {
                listener.accept(waiting);
                yield Optional.empty();
            }
        };
    }

    /// The decision that the verdict led to: not one about the same files from before it.
    private static Optional<Promotion> decision(Client client, String alias, Verdict verdict) {
        return client.promotions().get(alias).filter(decided -> verdict.adapterId().equals(decided.candidateId())
                && !decided.decidedAt().isBefore(verdict.at()));
    }

    private static <T> T await(Supplier<Optional<T>> source, Duration patience, String what) {
        long deadline = System.nanoTime() + patience.toNanos();
        while (System.nanoTime() < deadline) {
            var found = source.get();
            if (found.isPresent()) {
                return found.get();
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(50));
        }
        throw new CliException(ExitCode.FAILED, what + " did not come within " + patience.toSeconds()
                + " s; look at the evaluator's log (./sluice status says where it runs)");
    }
}
