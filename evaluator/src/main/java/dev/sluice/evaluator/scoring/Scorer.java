package dev.sluice.evaluator.scoring;

import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.evaluation.Paired;
import dev.sluice.contracts.evaluation.Score;
import dev.sluice.contracts.store.ArtifactStore;
import dev.sluice.evaluator.answer.Answering;
import dev.sluice.evaluator.answer.Question;
import dev.sluice.evaluator.device.Device;
import dev.sluice.evaluator.failure.EvaluationException;
import dev.sluice.evaluator.failure.Failure;
import dev.sluice.evaluator.statistic.Interval;
import dev.sluice.evaluator.statistic.PairedBootstrap;
import java.io.IOException;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// Scores adapters beside baselines. Lives on the device's thread.
public final class Scorer {

    private final Device device;
    private final Sides sides;
    private final ArtifactStore store;
    private final PairedBootstrap bootstrap;
    private final int maxNewTokens;

    /// @param maxNewTokens most tokens of a sample answer
    public Scorer(Device device, Sides sides, ArtifactStore store, PairedBootstrap bootstrap, int maxNewTokens) {
        this.device = device;
        this.sides = sides;
        this.store = store;
        this.bootstrap = bootstrap;
        this.maxNewTokens = maxNewTokens;
    }

    /// The adapter beside its base model.
    ///
    /// @throws IOException when the store cannot be read or written
    /// @throws EvaluationException when there is no score to be had
    public Score besideBase(AdapterPublished adapter, Suite suite) throws IOException {
        return new Comparison(adapter, suite).score(null);
    }

    /// The adapter beside another one of the same base model.
    public Score beside(AdapterPublished champion, AdapterPublished adapter, Suite suite) throws IOException {
        return new Comparison(adapter, suite).score(champion);
    }

    /// One comparison.
    private final class Comparison {
        private final AdapterPublished adapter;
        private final Suite suite;
        private final List<Question> questions;
        private final Answering answering;

        Comparison(AdapterPublished adapter, Suite suite) {
            this.adapter = adapter;
            this.suite = suite;
            device.model(adapter.baseModel());
            int wanted = adapter.evaluation().sampleAnswers();
            answering = wanted == 0 ? null : new Answering(device.tokenizer(), maxNewTokens);
            questions = wanted == 0 ? List.of() : Question.of(suite.rows(), wanted, device.tokenizer().stopTokens().ids(),
                    device.tokenizer()::decodeText);
        }

        /// @param champion null: the base model is the baseline
        Score score(AdapterPublished champion) throws IOException {
            Side baseline = champion == null ? sides.base(adapter.baseModel(), suite, questions, answering)
                    : sides.adapted(champion, suite, questions, answering);
            Side candidate = sides.adapted(adapter, suite, questions, answering);
            requireFinite(baseline, champion == null ? "the base model" : "champion " + champion.adapterId());
            requireFinite(candidate, "adapter " + adapter.adapterId());
            return new Score(adapter.adapterId(), adapter.jobId(), suite.id(), champion == null ? Score.BASE : champion.adapterId(),
                    suite.rows().size(), (long) Arrays.stream(suite.tokens()).sum(), (long) Arrays.stream(suite.bytes()).sum(),
                    Metrics.of(suite, baseline, questions), Metrics.of(suite, candidate, questions), paired(baseline, candidate),
                    answering == null ? List.of() : answering.samples(questions, baseline.answers(), candidate.answers()),
                    RowLine.store(store, suite, baseline, candidate), Instant.now());
        }

        private Paired paired(Side baseline, Side candidate) {
            double[] all = suite.tokens();
            int[] informative = IntStream.range(0, all.length).filter(row -> all[row] > 0).toArray();
            double[] tokens = pick(all, informative);
            double[] before = pick(baseline.nll(), informative);
            double[] after = pick(candidate.nll(), informative);
            double confidence = adapter.evaluation().confidence();
            Interval gain = bootstrap.improvement(before, after, tokens, confidence);
            double total = Arrays.stream(tokens).sum();
            return new Paired(Metrics.NLL_PER_TOKEN, Arrays.stream(before).sum() / total, Arrays.stream(after).sum() / total, gain.estimate(),
                    gain.stderr(), gain.low(), gain.high(), confidence, informative.length, PairedBootstrap.METHOD, bootstrap.resamples(),
                    bootstrap.seed());
        }

        private double[] pick(double[] values, int[] rows) {
            return IntStream.of(rows).mapToDouble(row -> values[row]).toArray();
        }

        private void requireFinite(Side side, String who) {
            side.notFinite().ifPresent(row -> {
                throw new EvaluationException(new Failure.Unscorable("held-out row " + row + " (record "
                        + suite.rows().get(row).recordIds().getFirst() + ") has the likelihood " + side.rows().get(row).nll() + " under " + who
                        + ", not a finite number; train again, with a lower learning rate for instance"));
            });
        }
    }
}
