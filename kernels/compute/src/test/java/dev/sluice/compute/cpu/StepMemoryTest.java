package dev.sluice.compute.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import org.junit.jupiter.api.Test;

class StepMemoryTest {
    @Test
    void warmStepAllocatesNothing() {
        var memory = new StepMemory();
        step(memory);
        long held = memory.heldBytes();
        assertTrue(held >= 12_000_000, "holds " + held);
        for (int i = 0; i < 10; i++) {
            step(memory);
            assertEquals(held, memory.heldBytes());
        }
        memory.close();
        assertEquals(0, memory.heldBytes());
    }

    private static void step(StepMemory memory) {
        try (var step = new StepScope("step", memory, StepMemory::settle)) {
            for (int layer = 0; layer < 8; layer++) {
                step.allocate("kept", DType.FLOAT32, 125_001);
                try (var scratch = step.child("scratch")) {
                    scratch.allocate("wide", DType.FLOAT32, 2_000_000);
                }
            }
        }
    }

    @Test
    void parentGoesOnWhereItWasBeforeItsChild() {
        var memory = new StepMemory();
        try (var step = new StepScope("step", memory, StepMemory::close)) {
            var before = step.allocate("before", DType.FLOAT32, 16);
            try (var child = step.child("child")) {
                child.allocate("needs another block", DType.FLOAT32, 5_000_000);
            }
            assertEquals(before.address() + 64, step.allocate("after", DType.FLOAT32, 16).address());
        }
    }

    @Test
    void twoStepsAtOnceHaveMemoryOfTheirOwn() {
        try (var backend = new CpuBackend(1, new VectorGemm());
                var outer = backend.scope(Lifetime.STEP, "outer");
                var inner = backend.scope(Lifetime.STEP, "inner")) {
            var first = outer.allocate("first", DType.FLOAT32, 100);
            var second = inner.allocate("second", DType.FLOAT32, 100);
            assertTrue(Math.abs(first.address() - second.address()) >= 400);
        }
    }
}
