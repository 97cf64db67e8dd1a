package dev.sluice.model.checkpoint;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;

/// Makes weights up: norms are one, other vectors zero, matrices uniform around zero. Matrices are cut from one block of random numbers
/// at random places, because drawing tens of billions of numbers takes minutes and speed does not depend on them.
final class RandomSource implements WeightSource {
    private static final int BLOCK = 1 << 23;
    /// Half the width of a uniform distribution with the standard deviation 0.02 that models are usually initialised with.
    private static final double SPREAD = 0.02 * Math.sqrt(3);

    private final Backend backend;
    private final Scope process;
    private final Arena arena;
    private final SplittableRandom random = new SplittableRandom(1);
    private final MemorySegment block;

    /// @param arena owns the block
    RandomSource(Backend backend, Scope process, Arena arena) {
        this.backend = backend;
        this.process = process;
        this.arena = arena;
        float[] values = new float[BLOCK];
        for (int i = 0; i < BLOCK; i++) {
            values[i] = (float) ((2 * random.nextDouble() - 1) * SPREAD);
        }
        this.block = encoded(values, backend.activationType());
    }

    @Override
    public boolean has(String name) {
        return true;
    }

    @Override
    public boolean has(String name, long... shape) {
        return true;
    }

    @Override
    public Tensor load(Wanted wanted) {
        DType type = wanted.type(backend.activationType());
        Tensor tensor = process.allocate(wanted.name(), type, wanted.shape());
        if (tensor.rank() == 1) {
            float[] values = new float[Math.toIntExact(tensor.elements())];
            Arrays.fill(values, wanted.name().endsWith("norm.weight") ? 1 : 0);
            backend.upload(encoded(values, type), tensor);
        } else {
            fill(tensor);
        }
        return tensor;
    }

    private void fill(Tensor tensor) {
        // Two bf16 numbers read as a float32 one are random like the second of them.
        int length = Math.toIntExact(block.byteSize() / tensor.dtype().bytes());
        for (long first = 0; first < tensor.elements();) {
            int from = random.nextInt(length / 2);
            long count = Math.min(length - from, tensor.elements() - first);
            backend.upload(block.asSlice(tensor.dtype().bytes(from), tensor.dtype().bytes(count)),
                    tensor.view(tensor.name(), first, count));
            first += count;
        }
    }

    private MemorySegment encoded(float[] values, DType type) {
        MemorySegment bytes = arena.allocate(type.bytes(values.length), Long.BYTES);
        Floats.encode(type, values, bytes, 0);
        return bytes;
    }
}
