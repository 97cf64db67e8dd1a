package dev.sluice.contracts.dataset;

import dev.sluice.contracts.wire.Check;
import java.util.BitSet;
import java.util.List;

/// One row of `sequences.v1`: token ids with loss mask, one or more packed examples.
///
/// Attention never crosses a segment, and positions restart at each. Arrays are not copied: do not change them.
///
/// @param split train or held out
/// @param tokenIds the tokens, [length]
/// @param lossMask bit `i` set: token `i` is to be trained, predicted from those before it in its segment, [length]
/// @param segmentStarts index of each segment's first token, ascending, the first 0, [segments]
/// @param trainedBytes UTF-8 bytes of the trained text of each segment without special tokens, for bits per byte; 0 in
///     rows to train on, [segments]
/// @param recordIds record id of each segment, [segments]
public record SequenceRow(Split split, int[] tokenIds, BitSet lossMask, int[] segmentStarts, int[] trainedBytes, List<String> recordIds) {
    public SequenceRow {
        Check.present(split, "split");
        Check.atLeast(tokenIds.length, 1, "token_ids length");
        Check.atLeast(segmentStarts.length, 1, "segment_starts length");
        if (lossMask.length() > tokenIds.length) {
            throw new IllegalArgumentException("loss mask selects token " + (lossMask.length() - 1) + " of a row of " + tokenIds.length);
        }
        if (trainedBytes.length != segmentStarts.length || recordIds.size() != segmentStarts.length) {
            throw new IllegalArgumentException("a row of " + segmentStarts.length + " segments must have as many trained_bytes and record_ids, had "
                    + trainedBytes.length + " and " + recordIds.size());
        }
        checkStarts(segmentStarts, tokenIds.length);
        recordIds = List.copyOf(recordIds);
    }

    public int length() {
        return tokenIds.length;
    }

    public int segments() {
        return segmentStarts.length;
    }

    /// Index after the last token of segment `segment`.
    public int segmentEnd(int segment) {
        return segment + 1 < segmentStarts.length ? segmentStarts[segment + 1] : tokenIds.length;
    }

    /// Tokens that count in the loss: those of the mask but the first of each segment, which nothing predicts.
    public int trainedTokens() {
        int starts = 0;
        for (int start : segmentStarts) {
            starts += lossMask.get(start) ? 1 : 0;
        }
        return lossMask.cardinality() - starts;
    }

    private static void checkStarts(int[] starts, int length) {
        if (starts[0] != 0) {
            throw new IllegalArgumentException("first segment must start at 0, was " + starts[0]);
        }
        for (int i = 1; i < starts.length; i++) {
            if (starts[i] <= starts[i - 1] || starts[i] >= length) {
                throw new IllegalArgumentException("segment starts must ascend below the row's length " + length + ", start " + i
                        + " was " + starts[i] + " after " + starts[i - 1]);
            }
        }
    }
}
