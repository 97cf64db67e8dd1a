package dev.sluice.contracts.dataset;

import dev.sluice.contracts.wire.Check;
import dev.sluice.contracts.wire.Sha256;
import java.util.List;

/// The rows of one split: where they lie in `sequences.v1`, how many, and the hash that proves a reader got them all.
///
/// @param ranges in reading order; only messages keyed by the prepared id count
/// @param rows messages
/// @param examples conversations in those rows (more than rows when packed)
/// @param tokens token ids of all rows
/// @param trainedTokens tokens that count in the loss, see [SequenceRow#trainedTokens]
/// @param truncated examples cut to the maximum length
/// @param refused examples left out: nothing to train, or the template refused them
/// @param sha256 SHA-256 of the rows' bytes, one after the other
public record PreparedSplit(List<OffsetRange> ranges, long rows, long examples, long tokens, long trainedTokens, long truncated,
        long refused, String sha256) {
    public PreparedSplit {
        ranges = List.copyOf(Check.present(ranges, "ranges"));
        Check.atLeast(rows, 0, "rows");
        Check.atLeast(examples, 0, "examples");
        Check.atLeast(tokens, 0, "tokens");
        Check.atLeast(trainedTokens, 0, "trained_tokens");
        Check.atLeast(truncated, 0, "truncated");
        Check.atLeast(refused, 0, "refused");
        Sha256.require(sha256, "sha256");
    }
}
