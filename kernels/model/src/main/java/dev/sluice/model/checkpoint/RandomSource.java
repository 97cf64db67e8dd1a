package dev.sluice.model.checkpoint;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Packing;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;

/// Makes weights up: norms are one, other vectors zero, matrices uniform around zero. Matrices are cut from one block of random numbers
/// at random places, because drawing tens of billions of numbers takes minutes and speed does not depend on them.
final class RandomSource implements WeightSource {
    private static final int BLOCK = 1 << 23;
    /// Half the width of a uniform distribution with the standard deviation 0.02 that models are usually initialised with.
    private static final double SPREAD = 0.02 * Math.sqrt(3);
    /// Of random codes in NF4, such that the numbers are about as large.
    private static final float FACTOR = 0.01f;
    private static final float OFFSET = 0.04f;
    /// Of random codes in MXFP4, whose standard deviation is 2.9: 2^-7 makes it 0.023.
    private static final byte EXPONENT = 127 - 7;

    private final Backend backend;
    private final Keeping keeping;
    private final Scope process;
    private final Arena arena;
    private final SplittableRandom random = new SplittableRandom(1);
    private final MemorySegment block;
    private final MemorySegment codes;
    private final MemorySegment exponents;

    /// @param arena owns the blocks
    RandomSource(Backend backend, Keeping keeping, Scope process, Arena arena) {
        this.backend = backend;
        this.keeping = keeping;
        this.process = process;
        this.arena = arena;
        float[] values = new float[BLOCK];
        for (int i = 0; i < BLOCK; i++) {
            values[i] = (float) ((2 * random.nextDouble() - 1) * SPREAD);
        }
        this.block = encoded(values, backend.activationType());
        byte[] bytes = new byte[BLOCK];
        random.nextBytes(bytes);
        this.codes = arena.allocateFrom(ValueLayout.JAVA_BYTE, bytes);
        this.exponents = arena.allocate(BLOCK).fill(EXPONENT);
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
            fill(tensor, block);
        }
        return tensor;
    }

    @Override
    public Weight weight(Wanted wanted) {
        return switch (keeping.packing(wanted)) {
            case null -> WeightSource.super.weight(wanted);
            case NF4 -> nf4(wanted);
            case MXFP4 -> mxfp4(wanted);
            case FP8 -> throw new IllegalArgumentException(wanted.name() + " is not made up in FP8");
        };
    }

    private Weight mxfp4(Wanted wanted) {
        Weight.Packed weight = PackedLoader.allocate(process, wanted, Packing.MXFP4);
        fill(weight.codes(), codes);
        fill(weight.scales(), exponents);
        return weight;
    }

    private Weight nf4(Wanted wanted) {
        Weight.Packed weight = Nf4Loader.allocate(wanted, Nf4Matrix.groupSize(wanted), process);
        fill(weight.codes(), codes);
        fill(weight.scales(), codes);
        float[] groups = new float[Math.toIntExact(weight.groups().elements())];
        for (int i = 0; i < groups.length; i += 2) {
            groups[i] = FACTOR;
            groups[i + 1] = OFFSET;
        }
        backend.upload(MemorySegment.ofArray(groups), weight.groups());
        return weight;
    }

    /// @param block numbers of the tensor's type
    private void fill(Tensor tensor, MemorySegment block) {
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
