package dev.sluice.text.packing;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.text.mask.TokenRow;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class PackerTest {

    @Property(tries = 300)
    void everyRowIsInExactlyOneBinAndNoBinOverflows(@ForAll @Size(max = 200) List<@IntRange(min = 1, max = 64) Integer> lengths) {
        int[] rows = lengths.stream().mapToInt(Integer::intValue).toArray();
        for (Packer packer : Packer.values()) {
            List<Bin> bins = packer.pack(rows, 64);
            assertArrayEquals(IntStream.range(0, rows.length).toArray(), bins.stream().flatMapToInt(bin -> Arrays.stream(bin.rows())).sorted().toArray());
            for (Bin bin : bins) {
                assertEquals(Arrays.stream(bin.rows()).map(row -> rows[row]).sum(), bin.tokens());
                assertTrue(bin.tokens() <= 64);
            }
        }
    }

    /// Two bins at most half full would have been one; so at least all bins but one are over half full together.
    @Property(tries = 300)
    void noTwoBinsCouldBeOne(@ForAll @Size(max = 100) List<@IntRange(min = 1, max = 64) Integer> lengths) {
        int[] tokens = Packer.BEST_FIT_DECREASING.pack(lengths.stream().mapToInt(Integer::intValue).toArray(), 64).stream()
                .mapToInt(Bin::tokens).sorted().limit(2).toArray();
        assertTrue(tokens.length < 2 || tokens[0] + tokens[1] > 64);
    }

    @Test
    void rowGoesIntoTheFullestBinThatHoldsItAndTiesKeepTheirOrder() {
        List<Bin> bins = Packer.BEST_FIT_DECREASING.pack(new int[] {3, 6, 5, 3, 4, 2}, 8);
        assertArrayEquals(new int[][] {{1, 5}, {2, 0}, {4, 3}}, bins.stream().map(Bin::rows).toArray(int[][]::new));
    }

    @Test
    void withoutPackingEveryRowIsASequenceInInputOrder() {
        assertArrayEquals(new int[][] {{0}, {1}, {2}}, Packer.NONE.pack(new int[] {1, 8, 3}, 8).stream().map(Bin::rows).toArray(int[][]::new));
    }

    @Test
    void rowThatDoesNotFitIsAnError() {
        var error = assertThrows(IllegalArgumentException.class, () -> Packer.BEST_FIT_DECREASING.pack(new int[] {4, 9}, 8));
        assertTrue(error.getMessage().startsWith("Packing row 1:"), error.getMessage());
    }

    @Test
    void sequenceKeepsSegmentStartsAndTrainsNoFirstToken() {
        var rows = List.of(new TokenRow(new int[] {1, 2}, new byte[] {1, 1}, false), new TokenRow(new int[] {3, 4, 5}, new byte[] {0, 1, 1}, false));
        Sequence sequence = Sequence.of(new Bin(new int[] {1, 0}, 5), rows);
        assertArrayEquals(new int[] {3, 4, 5, 1, 2}, sequence.ids());
        assertArrayEquals(new byte[] {0, 1, 1, 1, 1}, sequence.mask());
        assertArrayEquals(new int[] {0, 3}, sequence.segmentStarts());
        assertEquals(3, sequence.trainedTokens());
        assertThrows(IllegalArgumentException.class, () -> new Sequence(new int[2], new byte[2], new int[] {1}));
        assertThrows(IllegalArgumentException.class, () -> new Sequence(new int[2], new byte[2], new int[] {0, 2}));
    }
}
