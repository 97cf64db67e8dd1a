package dev.sluice.compute.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;

class LanesTest {
    @Test
    void expIsWithinTwoUnitsInTheLastPlace() {
        for (float x = -87f; x < 88f; x += 0.00137f) {
            double wanted = Math.exp(x);
            float found = Lanes.exp(x);
            assertTrue(Math.abs(found - wanted) <= 2 * Math.ulp((float) wanted), "exp(" + x + ") gave " + found);
        }
    }

    @Test
    void expOfVectorsEqualsExpOfScalars() {
        float[] values = {0f, -0f, 1f, -1f, 88.3f, 89f, 1e30f, -87.3f, -87.4f, -1e30f, Float.POSITIVE_INFINITY,
            Float.NEGATIVE_INFINITY, Float.NaN, 0.5f, -0.5f, Float.MIN_VALUE};
        for (float value : values) {
            float vector = Lanes.exp(FloatVector.broadcast(Memory.SPECIES, value)).lane(0);
            assertEquals(Lanes.exp(value), vector, "exp(" + value + ")");
        }
        assertEquals(0f, Lanes.exp(Float.NEGATIVE_INFINITY));
        assertTrue(Float.isNaN(Lanes.exp(Float.NaN)));
    }

    @Test
    void sumAddsEveryLaneOnce() {
        try (var arena = Arena.ofConfined()) {
            var memory = arena.allocate(4L * Memory.LANES, 64);
            float wanted = 0;
            for (int i = 0; i < Memory.LANES; i++) {
                Memory.set(Memory.at(memory.address(), i), 1 << i);
                wanted += 1 << i;
            }
            assertEquals(wanted, Lanes.sum(Memory.load(memory.address())));
        }
    }
}
