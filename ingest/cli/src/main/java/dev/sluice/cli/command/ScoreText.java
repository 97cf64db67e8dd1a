package dev.sluice.cli.command;

import dev.sluice.cli.output.Table;
import dev.sluice.contracts.evaluation.Metric;
import dev.sluice.contracts.evaluation.Promotion;
import dev.sluice.contracts.evaluation.SampleAnswer;
import dev.sluice.contracts.evaluation.Score;
import dev.sluice.contracts.evaluation.ScoreEvent;
import dev.sluice.contracts.evaluation.Unscored;
import dev.sluice.contracts.evaluation.Waiting;
import java.util.List;
import java.util.Locale;
import java.util.TreeMap;

/// Scores, sample answers and decisions, for people.
final class ScoreText {
    private ScoreText() {}

    static String describe(ScoreEvent event) {
        return switch (event) {
            case Score score -> score(score) + samples(score.samples());
            case Unscored unscored -> unscored(unscored) + "\n";
            case Waiting waiting -> waiting(waiting) + "\n";
        };
    }

    static String waiting(Waiting waiting) {
        return "no score yet: " + waiting.reason();
    }

    static String unscored(Unscored unscored) {
        return "no score: " + unscored.reason();
    }

    /// Metrics side by side with standard errors, and the interval that decides.
    static String score(Score score) {
        var table = new Table("HELD OUT (" + score.rows() + " rows, " + score.tokens() + " tokens)", score.baseline(), "adapter");
        new TreeMap<>(score.baselineMetrics()).forEach((name, baseline) -> table.row(name, number(baseline),
                number(score.candidateMetrics().getOrDefault(name, new Metric(Double.NaN, 0)))));
        return table + interval(score);
    }

    private static String interval(Score score) {
        var paired = score.paired();
        return paired == null ? "" : String.format(Locale.ROOT, "improvement of %s: %.4f, %.0f %% interval [%.4f, %.4f] (%s, %d rows)%n",
                paired.metric(), paired.delta(), 100 * paired.confidence(), paired.low(), paired.high(), paired.method(), paired.rows());
    }

    private static String number(Metric metric) {
        return metric.stderr() == 0 ? String.format(Locale.ROOT, "%.4f", metric.value())
                : String.format(Locale.ROOT, "%.4f ± %.4f", metric.value(), metric.stderr());
    }

    /// Questions with the expected answer and both models' answers.
    static String samples(List<SampleAnswer> samples) {
        var text = new StringBuilder();
        for (var sample : samples) {
            text.append("  asked     ").append(oneLine(sample.prompt())).append('\n')
                    .append("  expected  ").append(oneLine(sample.expected())).append('\n')
                    .append("  before    ").append(oneLine(sample.baseline())).append('\n')
                    .append("  after     ").append(oneLine(sample.candidate())).append("\n\n");
        }
        return text.toString();
    }

    private static String oneLine(String text) {
        return text == null ? "-" : text.strip().replace("\n", " ⏎ ");
    }

    static String promotion(Promotion promotion) {
        var table = new Table("RULE", "RESULT", "WHY");
        promotion.rules().forEach(rule -> table.row(rule.rule(), rule.result(), rule.detail()));
        return promotion.alias() + ": " + promotion.decision() + ", champion is now "
                + (promotion.championId() == null ? "the base model" : promotion.championId()) + "\n" + table;
    }
}
