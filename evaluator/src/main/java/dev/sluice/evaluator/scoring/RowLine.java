package dev.sluice.evaluator.scoring;

import dev.sluice.contracts.dataset.SequenceRow;
import dev.sluice.contracts.store.ArtifactRef;
import dev.sluice.contracts.store.ArtifactStore;
import dev.sluice.contracts.wire.Json;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;

/// A line of the file that keeps every row's likelihoods beside a score.
///
/// @param recordId record of the row; several, joined by spaces, where a row packs several
/// @param tokens trained tokens
/// @param bytes UTF-8 bytes of the trained text
/// @param baseNll summed negative log-likelihood under the baseline, in nats
/// @param adaptedNll the same with the candidate
/// @param baseCorrect trained tokens that were the baseline's most likely ones
/// @param adaptedCorrect the same with the candidate
record RowLine(String recordId, int tokens, int bytes, double baseNll, double adaptedNll, int baseCorrect, int adaptedCorrect) {

    /// Stores the lines of a comparison, one JSON object each.
    static ArtifactRef store(ArtifactStore store, Suite suite, Side baseline, Side candidate) throws IOException {
        var lines = new ByteArrayOutputStream();
        for (int i = 0; i < suite.rows().size(); i++) {
            SequenceRow row = suite.rows().get(i);
            lines.writeBytes(Json.write(new RowLine(String.join(" ", row.recordIds()), row.trainedTokens(), Suite.bytes(row),
                    baseline.rows().get(i).nll(), candidate.rows().get(i).nll(),
                    baseline.rows().get(i).correct(), candidate.rows().get(i).correct())));
            lines.write('\n');
        }
        return store.put(new ByteArrayInputStream(lines.toByteArray()));
    }
}
