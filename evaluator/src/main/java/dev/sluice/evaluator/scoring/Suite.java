package dev.sluice.evaluator.scoring;

import dev.sluice.contracts.dataset.PreparedDataset;
import dev.sluice.contracts.dataset.SequenceRow;
import dev.sluice.contracts.dataset.Split;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.log.PreparedRows;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.model.TokenRow;
import java.util.List;

/// The held-out rows of a prepared dataset, verified: what every side of a comparison is scored on.
///
/// @param id the prepared id
/// @param rows in order
public record Suite(String id, List<SequenceRow> rows) {
    public Suite {
        rows = List.copyOf(rows);
    }

    /// Reads the rows from the log.
    ///
    /// @throws dev.sluice.contracts.log.DamagedLogException when they are not what `prepared` promises
    public static Suite read(KafkaConnection connection, Topics topics, PreparedDataset prepared) {
        return new Suite(prepared.preparedId(), PreparedRows.read(connection, topics, prepared, Split.HELDOUT));
    }

    /// Trained tokens of each row.
    public double[] tokens() {
        return rows.stream().mapToDouble(SequenceRow::trainedTokens).toArray();
    }

    /// UTF-8 bytes of each row's trained text.
    public double[] bytes() {
        return rows.stream().mapToDouble(Suite::bytes).toArray();
    }

    public static int bytes(SequenceRow row) {
        int sum = 0;
        for (int bytes : row.trainedBytes()) {
            sum += bytes;
        }
        return sum;
    }

    /// A row as the model takes it.
    public static TokenRow tokenRow(SequenceRow row) {
        boolean[] mask = new boolean[row.length()];
        row.lossMask().stream().forEach(token -> mask[token] = true);
        return new TokenRow(row.tokenIds(), mask, row.segmentStarts());
    }
}
