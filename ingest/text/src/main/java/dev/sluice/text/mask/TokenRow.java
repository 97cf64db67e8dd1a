package dev.sluice.text.mask;

import java.util.Arrays;
import java.util.Objects;

/// One example as the model sees it.
///
/// @param ids       token ids
/// @param mask      1 where the token is trained, 0 elsewhere; same length as `ids`
/// @param truncated whether tokens were cut off at the end to meet the maximum length
public record TokenRow(int[] ids, byte[] mask, boolean truncated) {

    public TokenRow {
        if (ids.length != mask.length) {
            throw new IllegalArgumentException("A row has " + ids.length + " ids but a mask of " + mask.length + ".");
        }
        for (byte bit : mask) {
            if (bit != 0 && bit != 1) {
                throw new IllegalArgumentException("A loss mask holds 0 and 1, but found " + bit + ".");
            }
        }
    }

    /// Tokens in the row.
    public int length() {
        return ids.length;
    }

    /// Tokens that count in the loss: those of the mask but the first of the row, which nothing predicts.
    public int trainedTokens() {
        int trained = 0;
        for (int i = 1; i < mask.length; i++) {
            trained += mask[i];
        }
        return trained;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof TokenRow row && truncated == row.truncated && Arrays.equals(ids, row.ids)
                && Arrays.equals(mask, row.mask);
    }

    @Override
    public int hashCode() {
        return Objects.hash(Arrays.hashCode(ids), Arrays.hashCode(mask), truncated);
    }
}
