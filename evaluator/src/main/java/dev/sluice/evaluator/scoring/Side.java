package dev.sluice.evaluator.scoring;

import dev.sluice.model.evaluation.RowScore;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/// What one model, with or without an adapter, made of a suite.
///
/// @param rows one score per row of the suite
/// @param answers one text per question asked, may be empty
public record Side(List<RowScore> rows, List<String> answers) {
    public Side {
        rows = List.copyOf(rows);
        answers = List.copyOf(answers);
    }

    /// Summed negative log-likelihood of each row, in nats.
    public double[] nll() {
        return rows.stream().mapToDouble(RowScore::nll).toArray();
    }

    /// Trained tokens of each row that were the most likely ones.
    public double[] correct() {
        return rows.stream().mapToDouble(RowScore::correct).toArray();
    }

    /// The first row whose likelihood is not a number.
    public OptionalInt notFinite() {
        return IntStream.range(0, rows.size()).filter(row -> !Double.isFinite(rows.get(row).nll())).findFirst();
    }
}
