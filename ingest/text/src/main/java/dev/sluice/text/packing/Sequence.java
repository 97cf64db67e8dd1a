package dev.sluice.text.packing;

import dev.sluice.text.mask.TokenRow;
import java.util.Arrays;
import java.util.List;

/// Rows laid one after the other: what the trainer reads. Positions restart at every segment start and attention never
/// crosses one.
///
/// @param ids           token ids
/// @param mask          1 where the token is trained, same length as `ids`
/// @param segmentStarts offsets into `ids` where a row begins; ascending, the first is 0
public record Sequence(int[] ids, byte[] mask, int[] segmentStarts) {

    public Sequence {
        if (ids.length != mask.length) {
            throw new IllegalArgumentException("A sequence has " + ids.length + " ids but a mask of " + mask.length + ".");
        }
        if (segmentStarts.length == 0 || segmentStarts[0] != 0) {
            throw new IllegalArgumentException("The first segment of a sequence starts at 0, but the starts are "
                    + Arrays.toString(segmentStarts) + ".");
        }
        for (int i = 1; i < segmentStarts.length; i++) {
            if (segmentStarts[i] <= segmentStarts[i - 1] || segmentStarts[i] >= ids.length) {
                throw new IllegalArgumentException("Segment starts must ascend and lie inside the sequence of " + ids.length
                        + " tokens, but are " + Arrays.toString(segmentStarts) + ".");
            }
        }
    }

    /// Joins the rows of one bin.
    public static Sequence of(Bin bin, List<TokenRow> rows) {
        int[] ids = new int[bin.tokens()];
        byte[] mask = new byte[bin.tokens()];
        int[] starts = new int[bin.rows().length];
        int at = 0;
        for (int segment = 0; segment < starts.length; segment++) {
            TokenRow row = rows.get(bin.rows()[segment]);
            starts[segment] = at;
            System.arraycopy(row.ids(), 0, ids, at, row.length());
            System.arraycopy(row.mask(), 0, mask, at, row.length());
            at += row.length();
        }
        return new Sequence(ids, mask, starts);
    }

    /// Tokens that count in the loss: a segment's first token has nothing before it that could predict it.
    public int trainedTokens() {
        int trained = 0;
        for (byte bit : mask) {
            trained += bit;
        }
        for (int start : segmentStarts) {
            trained -= mask[start];
        }
        return trained;
    }
}
