package dev.sluice.compute.cpu;

import dev.sluice.compute.DType;
import dev.sluice.compute.Lora;
import dev.sluice.compute.Tensor;

/// The addresses of a LoRA, or of a stack of them.
record Adapter(long a, long b, long gradA, long gradB, int rank, int out, int in, float scale) {
    static Adapter of(String operation, Lora lora) {
        if (lora == null) {
            return null;
        }
        return new Adapter(address(operation, lora.a()), address(operation, lora.b()), address(operation, lora.gradA()),
                address(operation, lora.gradB()), lora.rank(), Math.toIntExact(lora.b().dim(-2)),
                Math.toIntExact(lora.a().dim(-1)), lora.scale());
    }

    private static long address(String operation, Tensor tensor) {
        return tensor.require(operation, DType.FLOAT32, tensor.shape()).address();
    }

    /// The adapter of one expert of the stack.
    Adapter expert(int index) {
        long skipA = 4L * index * rank * in;
        long skipB = 4L * index * rank * out;
        return new Adapter(a + skipA, b + skipB, gradA + skipA, gradB + skipB, rank, out, in, scale);
    }
}
