package dev.sluice.text.tokenizer;

import java.util.Arrays;

/// A text's tokens and where each comes from.
///
/// Offsets count Unicode code points of the encoded text, not Java's UTF-16 units: token `i` covers
/// `[starts[i], ends[i])`. Tokens that share the bytes of one character all cover that character.
public record Encoded(int[] ids, int[] starts, int[] ends) {

    public Encoded {
        if (ids.length != starts.length || ids.length != ends.length) {
            throw new IllegalArgumentException("An encoding needs one start and one end for each of its " + ids.length
                    + " tokens, but has " + starts.length + " and " + ends.length + ".");
        }
    }

    /// Number of tokens.
    public int length() {
        return ids.length;
    }

    /// The first `length` tokens.
    public Encoded head(int length) {
        return new Encoded(Arrays.copyOf(ids, length), Arrays.copyOf(starts, length), Arrays.copyOf(ends, length));
    }
}
