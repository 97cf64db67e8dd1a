package dev.sluice.evaluator.scoring;

import dev.sluice.contracts.evaluation.Metric;
import dev.sluice.evaluator.answer.Question;
import dev.sluice.evaluator.statistic.RatioMetric;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;

/// The metrics of one side, named and defined as in EleutherAI's evaluation harness.
public final class Metrics {

    /// Mean negative log-likelihood of a trained token, in nats. The primary metric: lower is better.
    public static final String NLL_PER_TOKEN = "nll_per_token";
    /// e to the power of [#NLL_PER_TOKEN].
    public static final String PERPLEXITY = "perplexity";
    /// Bits needed for each UTF-8 byte of the trained text. Absent when the rows carry no byte counts.
    public static final String BITS_PER_BYTE = "bits_per_byte";
    /// Share of trained tokens that are the most likely ones.
    public static final String TOKEN_ACCURACY = "token_accuracy";
    /// Share of the questions asked that were answered with exactly the expected text. Absent when none were asked.
    public static final String EXACT_MATCH = "exact_match";

    private static final double LN_2 = Math.log(2);

    private Metrics() {}

    public static Map<String, Metric> of(Suite suite, Side side, List<Question> questions) {
        Map<String, Metric> metrics = new TreeMap<>();
        Metric nll = RatioMetric.of(side.nll(), suite.tokens());
        double perplexity = Math.exp(nll.value());
        metrics.put(NLL_PER_TOKEN, nll);
        metrics.put(PERPLEXITY, new Metric(perplexity, perplexity * nll.stderr()));
        metrics.put(TOKEN_ACCURACY, RatioMetric.of(side.correct(), suite.tokens()));
        if (Arrays.stream(suite.bytes()).sum() > 0) {
            Metric nats = RatioMetric.of(side.nll(), suite.bytes());
            metrics.put(BITS_PER_BYTE, new Metric(nats.value() / LN_2, nats.stderr() / LN_2));
        }
        if (!questions.isEmpty()) {
            metrics.put(EXACT_MATCH, RatioMetric.mean(IntStream.range(0, questions.size())
                    .mapToDouble(i -> questions.get(i).isAnsweredBy(side.answers().get(i)) ? 1 : 0).toArray()));
        }
        return metrics;
    }
}
