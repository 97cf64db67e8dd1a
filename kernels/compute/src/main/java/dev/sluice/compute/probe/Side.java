package dev.sluice.compute.probe;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Lora;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Segments;
import dev.sluice.compute.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import java.util.stream.LongStream;

/// One of the two backends that are compared, and the tensors of one case on it. Two sides with one seed draw the same numbers,
/// rounded to the type that the narrower of them computes in; outputs begin as NaN, so that what is not written shows.
public final class Side implements AutoCloseable {
    private static final int ABSURD = 0x7f7f7f7f;

    private final Backend backend;
    private final DType rounding;
    private final Scope scope;
    private final SplittableRandom random;

    /// @param rounding the type of the tested backend's activations
    public Side(Backend backend, DType rounding, long seed) {
        this.backend = backend;
        this.rounding = rounding;
        this.scope = backend.scope(Lifetime.RUN, "check");
        this.random = new SplittableRandom(seed);
    }

    public Backend backend() {
        return backend;
    }

    public SplittableRandom random() {
        return random;
    }

    Scope scope() {
        return scope;
    }

    /// Uniform numbers of that standard deviation, in the backend's activation type.
    public Tensor activations(String name, double spread, long... shape) {
        return upload(scope.allocate(name, backend.activationType(), shape), uniform(spread, shape));
    }

    /// Whole numbers from -2 to 2: sums of their products have no rounding, so that both sides see the same ties.
    Tensor small(String name, long... shape) {
        float[] values = new float[elements(shape)];
        for (int i = 0; i < values.length; i++) {
            values[i] = random.nextInt(5) - 2;
        }
        return upload(scope.allocate(name, backend.activationType(), shape), values);
    }

    public Tensor float32(String name, double spread, long... shape) {
        return float32(name, uniform(spread, shape), shape);
    }

    public Tensor float32(String name, float[] values, long... shape) {
        return upload(scope.allocate(name, DType.FLOAT32, shape), values);
    }

    float[] uniform(double spread, long... shape) {
        float[] values = new float[elements(shape)];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) ((2 * random.nextDouble() - 1) * Math.sqrt(3) * spread);
        }
        HostNumbers.round(rounding, values);
        return values;
    }

    public Tensor ints(String name, int[] values, long... shape) {
        Tensor tensor = scope.allocate(name, DType.INT32, shape);
        try (var arena = Arena.ofConfined()) {
            backend.upload(arena.allocateFrom(ValueLayout.JAVA_INT, values), tensor);
        }
        return tensor;
    }

    /// Documents one behind the other.
    public Segments segments(int... lengths) {
        int[] starts = new int[lengths.length + 1];
        for (int i = 0; i < lengths.length; i++) {
            starts[i + 1] = starts[i] + lengths[i];
        }
        return new Segments(starts, ints("segments", starts, starts.length));
    }

    /// An adapter whose gradients already hold something: backward passes add.
    Lora lora(String name, int rank, int out, int in, long... experts) {
        long[] a = LongStream.concat(LongStream.of(experts), LongStream.of(rank, in)).toArray();
        long[] b = LongStream.concat(LongStream.of(experts), LongStream.of(out, rank)).toArray();
        return new Lora(activations(name + ".a", 1 / Math.sqrt(in), a), activations(name + ".b", 0.3, b), 1.5f,
                float32(name + ".gradA", 0.5, a), float32(name + ".gradB", 0.5, b));
    }

    /// An output in the activation type, poisoned.
    public Tensor output(String name, long... shape) {
        return poisoned(name, backend.activationType(), shape);
    }

    public Tensor poisoned(String name, DType dtype, long... shape) {
        int count = elements(shape);
        if (dtype == DType.INT32) {
            int[] rubbish = new int[count];
            Arrays.fill(rubbish, ABSURD);
            return ints(name, rubbish, shape);
        }
        float[] rubbish = new float[count];
        Arrays.fill(rubbish, Float.NaN);
        return upload(scope.allocate(name, dtype, shape), rubbish);
    }

    Tensor upload(Tensor tensor, float[] values) {
        try (var arena = Arena.ofConfined()) {
            backend.upload(HostNumbers.encode(tensor.dtype(), values, arena), tensor);
        }
        return tensor;
    }

    /// Runs something that needs scratch.
    public void scratched(Consumer<Scope> call) {
        try (Scope scratch = backend.scope(Lifetime.STEP, "check")) {
            call.accept(scratch);
        }
    }

    double[] read(Tensor tensor) {
        return HostNumbers.read(backend, tensor);
    }

    private static int elements(long... shape) {
        return Math.toIntExact(Tensor.elements("case", shape));
    }

    @Override
    public void close() {
        scope.close();
    }
}
