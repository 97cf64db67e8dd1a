package dev.sluice.cli.client;

import dev.sluice.cli.CliException;
import dev.sluice.cli.ExitCode;
import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.dataset.DatasetEvent;
import dev.sluice.contracts.dataset.PreparedDataset;
import dev.sluice.contracts.evaluation.Promotion;
import dev.sluice.contracts.evaluation.Score;
import dev.sluice.contracts.job.JobState;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;

/// What a succeeded job came to: the adapter, its score beside the base model, the decision about it.
///
/// @param score null when no rows were held out
/// @param promotion null when the job names no alias or no rows were held out
public record Outcome(AdapterPublished adapter, PreparedDataset prepared, Score score, Promotion promotion) {
    /// Collects the outcome, waiting for the evaluator where it has something to say.
    ///
    /// @param patience how long the evaluator may take
    public static Outcome await(Client client, JobState succeeded, Duration patience) {
        var adapter = await(() -> client.adapters().get(succeeded.adapterId()), Duration.ofSeconds(10),
                "the adapter's message");
        DatasetEvent event = await(() -> client.datasets().get(adapter.preparedId()), Duration.ofSeconds(10),
                "the prepared dataset's message");
        if (!(event instanceof PreparedDataset prepared)) {
            throw new CliException(ExitCode.FAILED, "topic datasets.v1 holds no prepared dataset under " + adapter.preparedId());
        }
        if (prepared.heldout().rows() == 0) {
            return new Outcome(adapter, prepared, null, null);
        }
        String alias = adapter.evaluation().alias();
        // A candidate that cannot be scored is still decided about, so the decision ends the wait for a score too.
        Promotion promotion = alias == null ? null : await(() -> decision(client, alias, adapter), patience, "the evaluator's decision");
        Score score = promotion == null ? await(() -> score(client, adapter), patience, "the evaluator's score")
                : score(client, adapter).orElse(null);
        return new Outcome(adapter, prepared, score, promotion);
    }

    private static Optional<Promotion> decision(Client client, String alias, AdapterPublished adapter) {
        return client.promotions().get(alias).filter(decided -> adapter.adapterId().equals(decided.candidateId()));
    }

    private static Optional<Score> score(Client client, AdapterPublished adapter) {
        return client.scores().values().stream().filter(score -> score.adapterId().equals(adapter.adapterId())
                && score.suite().equals(adapter.preparedId()) && score.baseline().equals(Score.BASE)).findFirst();
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
