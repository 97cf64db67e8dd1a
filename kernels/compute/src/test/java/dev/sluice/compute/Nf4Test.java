package dev.sluice.compute;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.sluice.compute.cpu.CpuProvider;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class Nf4Test {
    /// Hashes of the tables' bits as bitsandbytes 0.50 writes them into its checkpoints.
    @Test
    void tablesHaveTheBitsThatBitsandbytesStores() {
        assertEquals(-1437932476, Arrays.hashCode(Nf4.numbers()));
        assertEquals(-1933620627, Arrays.hashCode(Nf4.scales()));
    }

    @ParameterizedTest
    @CsvSource({"0,-0.99296874", "126,-5.5e-7", "127,0", "128,5.5e-7", "129,3.25e-6", "254,0.99296874", "255,1"})
    void scalesAreFinerNearZero(int code, float scale) {
        assertEquals(scale, Nf4.scales()[code], Math.abs(scale) * 1e-6f);
    }

    @ParameterizedTest
    @CsvSource({"4,64,3", "4,64,0", "6,64,1", "8,512,0"})
    void groupsMustCutAllScalesIntoPowersOfTwo(int rows, int in, int groups) {
        try (var backend = new CpuProvider().open(); var scope = backend.scope(Lifetime.RUN, "test")) {
            var codes = scope.allocate("codes", DType.UINT8, rows, in / 2);
            var scales = scope.allocate("scales", DType.UINT8, rows, in / 64);
            var wrong = groups == 0 ? null : scope.allocate("groups", DType.FLOAT32, groups, 2);
            assertThrows(IllegalArgumentException.class, () -> new Weight.Packed(Packing.NF4, codes, scales, wrong));
            int most = Integer.lowestOneBit(rows * in / 64);
            var right = scope.allocate("groups", DType.FLOAT32, rows * in / 64 / most, 2);
            assertEquals(most, new Weight.Packed(Packing.NF4, codes, scales, right).groupSize());
        }
    }
}
