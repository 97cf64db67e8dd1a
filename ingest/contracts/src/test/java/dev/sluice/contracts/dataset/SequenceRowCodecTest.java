package dev.sluice.contracts.dataset;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SequenceRowCodecTest {

    @ParameterizedTest
    @ValueSource(ints = {1, 7, 8, 9, 64, 65, 1000})
    void aRowComesBackAsItWas(int length) {
        SequenceRow row = row(length);
        SequenceRow read = SequenceRowCodec.read(SequenceRowCodec.write(row));
        assertArrayEquals(row.tokenIds(), read.tokenIds());
        assertEquals(row.lossMask(), read.lossMask());
        assertArrayEquals(row.segmentStarts(), read.segmentStarts());
        assertArrayEquals(row.trainedBytes(), read.trainedBytes());
        assertEquals(row.recordIds(), read.recordIds());
        assertEquals(row.split(), read.split());
    }

    @Test
    void everyTruncationIsRefused() {
        byte[] bytes = SequenceRowCodec.write(row(20));
        for (int length = 0; length < bytes.length; length++) {
            byte[] cut = Arrays.copyOf(bytes, length);
            assertThrows(IllegalArgumentException.class, () -> SequenceRowCodec.read(cut), "cut to " + length);
        }
    }

    @Test
    void aHostileCountAllocatesNothing() {
        byte[] bytes = SequenceRowCodec.write(row(20));
        bytes[7] = 0x7f; // highest byte of the token count
        assertThrows(IllegalArgumentException.class, () -> SequenceRowCodec.read(bytes));
    }

    @Test
    void theFirstTokenOfASegmentIsNeverTrained() {
        BitSet all = new BitSet();
        all.set(0, 10);
        assertEquals(8, new SequenceRow(Split.TRAIN, new int[10], all, new int[] {0, 4}, new int[2], List.of("a", "b")).trainedTokens());
    }

    private static SequenceRow row(int length) {
        Random random = new Random(length);
        int[] ids = random.ints(length, 0, 200_000).toArray();
        BitSet mask = new BitSet();
        for (int i = 0; i < length; i += 3) {
            mask.set(i);
        }
        int[] starts = length > 4 ? new int[] {0, length / 2} : new int[] {0};
        return new SequenceRow(Split.HELDOUT, ids, mask, starts, starts.length == 2 ? new int[] {5, 9} : new int[] {5},
                starts.length == 2 ? List.of("r-1", "ü-2") : List.of("r-1"));
    }
}
