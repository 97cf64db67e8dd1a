package dev.sluice.compute;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import org.junit.jupiter.api.Test;

class DryScopeTest {

    @Test
    void addressesAndBytesAreThoseOfAStack() {
        try (var scope = new DryScope("parent", Lifetime.STEP, 256)) {
            var first = scope.allocate("first", DType.UINT8, 1);
            assertNotEquals(0, first.address());
            var child = scope.child("child");
            assertEquals(first.address() + 256, child.allocate("its", DType.UINT8, 257).address());
            var grandchild = child.child("grandchild");
            assertEquals(first.address() + 768, grandchild.allocate("its too", DType.FLOAT32, 64).address());
            assertEquals(1024, scope.bytes());
            child.close();
            assertEquals(256, scope.bytes());
            assertEquals(first.address() + 256, scope.allocate("second", DType.UINT8, 1).address());
            assertEquals(512, scope.bytes());
            assertEquals(1024, scope.peakBytes());
            assertEquals(768, child.peakBytes());
        }
    }
}
