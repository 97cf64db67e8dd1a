package dev.sluice.text.mask;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.sluice.text.template.Span;
import dev.sluice.text.tokenizer.Encoded;
import java.util.List;
import org.junit.jupiter.api.Test;

class TokenMaskTest {

    /// Tokens over "ab😀cd": `a`, `b`, three for the bytes of the emoji, `cd`.
    private static final Encoded TOKENS = new Encoded(new int[] {10, 11, 12, 13, 14, 15}, new int[] {0, 1, 2, 2, 2, 3},
            new int[] {1, 2, 3, 3, 3, 5});

    private static byte[] mask(int start, int end) {
        return new TokenMask(TOKENS).of(List.of(new Span(start, end)));
    }

    @Test
    void spanRunsFromTheHolderOfItsFirstCharacterToTheHolderOfItsLast() {
        assertArrayEquals(new byte[] {0, 1, 1, 1, 1, 1}, mask(1, 4));
        assertArrayEquals(new byte[] {0, 0, 0, 0, 0, 1}, mask(4, 5));
    }

    @Test
    void ofCharactersInSeveralTokensTheFirstIsTheHolder() {
        assertArrayEquals(new byte[] {0, 0, 1, 0, 0, 0}, mask(2, 3));
    }

    @Test
    void emptySpanTrainsNothing() {
        assertArrayEquals(new byte[6], mask(2, 2));
    }

    @Test
    void spanBehindTheLastTokenTrainsUpToTheEnd() {
        assertArrayEquals(new byte[] {0, 1, 1, 1, 1, 1}, mask(1, 9));
        assertArrayEquals(new byte[6], mask(7, 9));
    }

    @Test
    void characterThatNoTokenCoversAddsNoToken() {
        var gap = new TokenMask(new Encoded(new int[] {1, 2, 3}, new int[] {0, 3, 6}, new int[] {2, 5, 8}));
        assertArrayEquals(new byte[] {0, 1, 0}, gap.of(List.of(new Span(2, 6))));
        assertArrayEquals(new byte[3], gap.of(List.of(new Span(2, 3))));
    }
}
