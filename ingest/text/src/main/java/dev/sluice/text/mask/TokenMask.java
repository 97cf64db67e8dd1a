package dev.sluice.text.mask;

import dev.sluice.text.template.Span;
import dev.sluice.text.tokenizer.Encoded;
import java.util.Arrays;
import java.util.List;

/// Maps spans of a text onto its tokens as transformers' `return_assistant_tokens_mask` does: from the token that holds
/// a span's first code point up to the token that holds its last one. Where the bytes of one character fall into several
/// tokens, the first of them counts as the holder. A character that no token covers (some tokenizers leave spaces out of
/// their offsets) belongs to no token; transformers then trains the rest of the text, which nobody wants.
final class TokenMask {

    private final Encoded tokens;

    TokenMask(Encoded tokens) {
        this.tokens = tokens;
    }

    byte[] of(List<Span> spans) {
        byte[] mask = new byte[tokens.length()];
        spans.forEach(span -> mark(mask, span));
        return mask;
    }

    static byte[] everything(int length) {
        byte[] mask = new byte[length];
        Arrays.fill(mask, (byte) 1);
        return mask;
    }

    static void intersect(byte[] mask, byte[] other) {
        for (int i = 0; i < mask.length; i++) {
            mask[i] &= other[i];
        }
    }

    private void mark(byte[] mask, Span span) {
        int first = endingBehind(span.start());
        int last = endingBehind(span.end() - 1);
        boolean held = last < tokens.length() && tokens.starts()[last] < span.end();
        if (span.start() < span.end()) {
            Arrays.fill(mask, first, Math.max(first, held ? last + 1 : last), (byte) 1);
        }
    }

    /// The first token that ends behind the code point, or the number of tokens. Ends never decrease.
    private int endingBehind(int codePoint) {
        int low = 0;
        int high = tokens.length();
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (tokens.ends()[middle] > codePoint) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        return low;
    }
}
