package dev.sluice.model;

import dev.sluice.compute.op.LossOps;
import java.util.Arrays;
import java.util.List;

/// One row of tokens, the unit of a micro-batch: a single sequence, or several packed behind one another. Attention
/// stays within a segment and positions restart in each.
///
/// @param ids token ids
/// @param mask which tokens are trained on, one flag per id; a segment's first token never is, nothing predicts it
/// @param segmentStarts index of every segment's first token, ascending, the first one 0; the last segment ends with
///     the row
public record TokenRow(int[] ids, boolean[] mask, int[] segmentStarts) {
    public TokenRow {
        if (ids.length == 0) {
            throw new IllegalArgumentException("token row: at least one token is needed");
        }
        if (mask.length != ids.length) {
            throw new IllegalArgumentException(
                    "token row: " + ids.length + " ids need as many mask flags, there are " + mask.length);
        }
        if (segmentStarts.length == 0 || segmentStarts[0] != 0) {
            throw new IllegalArgumentException("token row: segment starts must begin with 0, were "
                    + Arrays.toString(segmentStarts));
        }
        for (int i = 1; i < segmentStarts.length; i++) {
            if (segmentStarts[i] <= segmentStarts[i - 1] || segmentStarts[i] >= ids.length) {
                throw new IllegalArgumentException("token row: segment start " + segmentStarts[i]
                        + " must lie after " + segmentStarts[i - 1] + " and before " + ids.length);
            }
        }
    }

    /// A row of one segment.
    public static TokenRow of(int[] ids, boolean[] mask) {
        return new TokenRow(ids, mask, new int[] {0});
    }

    /// Rows behind one another in one: a batch without padding.
    public static TokenRow concatenate(List<TokenRow> rows) {
        int tokens = rows.stream().mapToInt(TokenRow::tokens).sum();
        int segments = rows.stream().mapToInt(row -> row.segmentStarts.length).sum();
        int[] ids = new int[tokens];
        boolean[] mask = new boolean[tokens];
        int[] starts = new int[segments];
        int token = 0;
        int segment = 0;
        for (TokenRow row : rows) {
            System.arraycopy(row.ids, 0, ids, token, row.tokens());
            System.arraycopy(row.mask, 0, mask, token, row.tokens());
            for (int start : row.segmentStarts) {
                starts[segment++] = token + start;
            }
            token += row.tokens();
        }
        return new TokenRow(ids, mask, starts);
    }

    public int tokens() {
        return ids.length;
    }

    /// Tokens that a prediction is scored against.
    public int trainedTokens() {
        return (int) Arrays.stream(labels()).filter(label -> label != LossOps.IGNORED).count();
    }

    /// What every token should predict: the next token of its segment where that one is trained on, else
    /// [LossOps#IGNORED].
    public int[] labels() {
        int[] labels = new int[ids.length];
        for (int i = 0; i + 1 < ids.length; i++) {
            labels[i] = mask[i + 1] ? ids[i + 1] : LossOps.IGNORED;
        }
        labels[ids.length - 1] = LossOps.IGNORED;
        for (int i = 1; i < segmentStarts.length; i++) {
            labels[segmentStarts[i] - 1] = LossOps.IGNORED;
        }
        return labels;
    }

    /// Position of every token in its segment.
    public int[] positions() {
        int[] positions = new int[ids.length];
        for (int i = 0, segment = 0; i < ids.length; i++) {
            if (segment + 1 < segmentStarts.length && segmentStarts[segment + 1] == i) {
                segment++;
            }
            positions[i] = i - segmentStarts[segment];
        }
        return positions;
    }

    /// Segment starts with the token count behind them.
    public int[] boundaries() {
        int[] boundaries = Arrays.copyOf(segmentStarts, segmentStarts.length + 1);
        boundaries[segmentStarts.length] = ids.length;
        return boundaries;
    }
}
