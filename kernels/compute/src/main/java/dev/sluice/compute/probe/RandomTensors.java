package dev.sluice.compute.probe;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;

/// Tensors full of random numbers: products of zeros run faster than real ones.
public final class RandomTensors {
    private static final int BLOCK = 1 << 22;

    private final Backend backend;
    private final Scope scope;
    private final SplittableRandom random = new SplittableRandom(1);

    public RandomTensors(Backend backend, Scope scope) {
        this.backend = backend;
        this.scope = scope;
    }

    /// Uniform numbers with standard deviation `spread`, in the activation type; a block of four million repeats.
    public Tensor activations(String name, double spread, long... shape) {
        var tensor = scope.allocate(name, backend.activationType(), shape);
        try (var arena = Arena.ofConfined()) {
            int count = (int) Math.min(BLOCK, tensor.elements());
            float[] values = new float[count];
            for (int i = 0; i < count; i++) {
                values[i] = (float) ((random.nextDouble() - 0.5) * Math.sqrt(12) * spread);
            }
            var block = HostNumbers.encode(tensor.dtype(), values, arena);
            for (long first = 0; first < tensor.elements(); first += count) {
                long some = Math.min(count, tensor.elements() - first);
                backend.upload(block.asSlice(0, tensor.dtype().bytes(some)), tensor.view(name, first, some));
            }
        }
        return tensor;
    }

    /// Bytes from `from` to `to` - 1; a block of four million repeats.
    public Tensor bytes(String name, int from, int to, long... shape) {
        var tensor = scope.allocate(name, DType.UINT8, shape);
        byte[] values = new byte[(int) Math.min(BLOCK, tensor.elements())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (byte) random.nextInt(from, to);
        }
        try (var arena = Arena.ofConfined()) {
            var block = arena.allocateFrom(ValueLayout.JAVA_BYTE, values);
            for (long first = 0; first < tensor.elements(); first += values.length) {
                long some = Math.min(values.length, tensor.elements() - first);
                backend.upload(block.asSlice(0, some), tensor.view(name, first, some));
            }
        }
        return tensor;
    }

    public Scope scope() {
        return scope;
    }

    public Tensor zeros(String name, DType dtype, long... shape) {
        var tensor = scope.allocate(name, dtype, shape);
        backend.elementwise().zero(tensor);
        return tensor;
    }

    /// Whole numbers from 0 to `bound` - 1.
    public Tensor ids(String name, int bound, int count) {
        return ints(name, random.ints(count, 0, bound).toArray());
    }

    public Tensor ints(String name, int... numbers) {
        var tensor = scope.allocate(name, DType.INT32, numbers.length);
        try (var arena = Arena.ofConfined()) {
            backend.upload(arena.allocateFrom(ValueLayout.JAVA_INT, numbers), tensor);
        }
        return tensor;
    }

    /// The same float32 number everywhere.
    public Tensor floats(String name, float value, long... shape) {
        var tensor = scope.allocate(name, DType.FLOAT32, shape);
        float[] values = new float[Math.toIntExact(tensor.elements())];
        Arrays.fill(values, value);
        try (var arena = Arena.ofConfined()) {
            backend.upload(HostNumbers.encode(DType.FLOAT32, values, arena), tensor);
        }
        return tensor;
    }
}
