package dev.sluice.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;

class TokenRowTest {
    private static final int NONE = -100;
    private final TokenRow first = TokenRow.of(new int[] {5, 6, 7}, new boolean[] {true, false, true});
    private final TokenRow second = TokenRow.of(new int[] {8, 9}, new boolean[] {true, true});

    @Test
    void labelsAreTheNextTokensThatAreTrainedOn() {
        assertArrayEquals(new int[] {NONE, 7, NONE}, first.labels());
    }

    @Test
    void aSegmentsFirstTokenIsNeverALabel() {
        var packed = TokenRow.concatenate(List.of(first, second));
        assertArrayEquals(new int[] {NONE, 7, NONE, 9, NONE}, packed.labels());
        assertEquals(first.trainedTokens() + second.trainedTokens(), packed.trainedTokens());
    }

    @Test
    void positionsRestartInEverySegment() {
        var packed = TokenRow.concatenate(List.of(first, second));
        assertArrayEquals(new int[] {0, 1, 2, 0, 1}, packed.positions());
        assertArrayEquals(new int[] {0, 3, 5}, packed.boundaries());
    }

    @Test
    void concatenatingPackedRowsKeepsTheirSegments() {
        var packed = TokenRow.concatenate(List.of(TokenRow.concatenate(List.of(first, second)), first));
        assertArrayEquals(new int[] {0, 3, 5}, packed.segmentStarts());
        assertEquals(8, packed.tokens());
    }

    @Test
    void malformedRowsAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> TokenRow.of(new int[0], new boolean[0]));
        assertThrows(IllegalArgumentException.class, () -> TokenRow.of(new int[2], new boolean[1]));
        assertThrows(IllegalArgumentException.class, () -> new TokenRow(new int[2], new boolean[2], new int[] {1}));
        assertThrows(IllegalArgumentException.class, () -> new TokenRow(new int[2], new boolean[2], new int[] {0, 2}));
        assertThrows(IllegalArgumentException.class, () -> new TokenRow(new int[3], new boolean[3], new int[] {0, 1, 1}));
    }
}
