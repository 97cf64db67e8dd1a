package dev.sluice.compute;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OffloadTest {
    @ParameterizedTest
    @ValueSource(longs = {1, 4095, 4096, 4097, 100_000, 536_870_912, 536_870_913, 5_000_000_000L})
    void capacityHoldsTheTensorAndAtMostAnEighthMore(long bytes) {
        long capacity = Offload.capacity(bytes);
        assertTrue(capacity >= bytes, bytes + " in " + capacity);
        assertTrue(capacity <= Math.max(Offload.PAGE, bytes + bytes / 8 + Offload.PAGE), bytes + " in " + capacity);
        assertEquals(capacity, Offload.capacity(capacity));
    }

    @Test
    void dryOffloadCountsEverySlotAtItsLargest() {
        try (var scope = new DryScope("scope", Lifetime.STEP, 64); var offload = new DryOffload()) {
            var large = scope.allocate("large", DType.FLOAT32, 1 << 20);
            var small = scope.allocate("small", DType.FLOAT32, 10);
            offload.store(0, large);
            offload.store(0, small);
            offload.store(1, small);
            assertEquals(large.bytes() + Offload.PAGE, offload.bytes());
        }
    }
}
