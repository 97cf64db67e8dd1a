package dev.sluice.compute.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.OutOfMemoryException;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Memory: who owns it, and for how long.
public interface ScopeContract extends Contract {
    @ParameterizedTest
    @EnumSource(Lifetime.class)
    default void closedScopeIsNamedByWhateverTouchesItsTensors(Lifetime lifetime) {
        var scope = backend().scope(lifetime, "ended");
        var tensor = scope.allocate("orphan", DType.FLOAT32, 3, 5);
        scope.close();
        scope.close();
        assertFalse(scope.isOpen());
        String message = assertThrows(IllegalStateException.class, tensor::segment).getMessage();
        assertTrue(message.contains("orphan") && message.contains("ended"), message);
        message = assertThrows(IllegalStateException.class, () -> scope.allocate("late", DType.FLOAT32, 1)).getMessage();
        assertTrue(message.contains("late") && message.contains("ended"), message);
    }

    @ParameterizedTest
    @EnumSource(Lifetime.class)
    default void childHandsItsMemoryBack(Lifetime lifetime) {
        try (var scope = backend().scope(lifetime, "parent")) {
            scope.allocate("own", DType.FLOAT32, 1000);
            long before = scope.bytes();
            try (var child = scope.child("child")) {
                assertEquals(lifetime, child.lifetime());
                child.allocate("its", DType.FLOAT32, 5000);
                assertTrue(scope.bytes() >= before + 20_000);
                var error = assertThrows(IllegalStateException.class, () -> scope.allocate("early", DType.FLOAT32, 1));
                assertTrue(error.getMessage().contains("child"), error.getMessage());
            }
            assertEquals(before, scope.bytes());
            assertTrue(scope.peakBytes() >= before + 20_000);
            scope.allocate("again", DType.FLOAT32, 10);
        }
    }

    @Test
    default void warmStepGetsTheSameAddresses() {
        long[] cold = step();
        long[] warm = step();
        assertArrayEquals(warm, step());
        assertEquals(cold.length, warm.length);
    }

    private long[] step() {
        try (var scope = backend().scope(Lifetime.STEP, "step")) {
            long first = scope.allocate("first", DType.FLOAT32, 100_000).address();
            long inner;
            try (var child = scope.child("child")) {
                inner = child.allocate("inner", DType.FLOAT32, 3_000_000).address();
            }
            long reused = scope.allocate("reused", DType.FLOAT32, 700_001).address();
            return new long[] {first, inner, reused};
        }
    }

    @ParameterizedTest
    @EnumSource(Lifetime.class)
    default void tensorsDoNotOverlapAndAreAligned(Lifetime lifetime) {
        try (var scope = backend().scope(lifetime, "scope")) {
            var odd = scope.allocate("odd", DType.UINT8, 13);
            var next = scope.allocate("next", DType.FLOAT32, 1);
            assertEquals(0, odd.address() % 64);
            assertEquals(0, next.address() % 64);
            assertTrue(Math.abs(next.address() - odd.address()) >= 13);
        }
    }

    @ParameterizedTest
    @EnumSource(Lifetime.class)
    default void tooLargeAnAllocationIsRefusedWithNumbers(Lifetime lifetime) {
        try (var scope = backend().scope(lifetime, "huge")) {
            long elements = backend().memory().totalBytes();
            var error = assertThrows(OutOfMemoryException.class, () -> scope.allocate("monster", DType.FLOAT32, elements));
            assertEquals(4 * elements, error.wantedBytes(), 64);
            assertTrue(error.getMessage().contains("monster"), error.getMessage());
            scope.allocate("small", DType.FLOAT32, 10);
        }
    }

    @Test
    default void uploadRefusesAnotherSize() {
        try (var scope = backend().scope(Lifetime.RUN, "run"); var arena = Arena.ofConfined()) {
            var tensor = scope.allocate("four", DType.FLOAT32, 4);
            var error = assertThrows(IllegalArgumentException.class, () -> backend().upload(arena.allocate(15), tensor));
            assertTrue(error.getMessage().contains("four") && error.getMessage().contains("15"), error.getMessage());
        }
    }

    @Test
    default void memoryIsReported() {
        assertTrue(backend().memory().freeBytes() > 0);
        assertFalse(backend().description().isBlank());
    }
}
