package dev.sluice.compute.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Lora;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Segments;
import dev.sluice.compute.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;

/// One test's tensors on the backend under test, drawn from a seed, each with the same numbers in float64.
///
/// Outputs start as NaN, or as an absurd integer, so that an element that is not written shows.
public final class World implements AutoCloseable {
    private static final int ABSURD = 0x7f7f7f7f;

    /// A tensor and what it holds.
    public record Twin(Tensor tensor, double[] values) {}

    private final Backend backend;
    private final double tolerance;
    private final Scope scope;
    private final Random random;
    private DType gradientType = DType.FLOAT32;

    /// @param tolerance largest relative Frobenius error of a result
    public World(Backend backend, double tolerance, long seed) {
        this.backend = backend;
        this.tolerance = tolerance;
        this.scope = backend.scope(Lifetime.RUN, "test");
        this.random = new Random(seed);
    }

    public Backend backend() {
        return backend;
    }

    public double tolerance() {
        return tolerance;
    }

    public Random random() {
        return random;
    }

    /// From here on adapters have the gradients of a lean run.
    World withLeanGradients() {
        gradientType = backend.activationType();
        return this;
    }

    public Scope scratch() {
        return backend.scope(Lifetime.STEP, "scratch");
    }

    /// Uniform numbers with a standard deviation of about `spread`, in the backend's activation type.
    public Twin activations(String name, double spread, long... shape) {
        return draw(name, backend.activationType(), spread, shape);
    }

    public Twin float32(String name, double spread, long... shape) {
        return draw(name, DType.FLOAT32, spread, shape);
    }

    private Twin draw(String name, DType dtype, double spread, long... shape) {
        return given(name, dtype, random.doubles(Tensor.elements(name, shape), -1, 1).map(d -> d * spread * 1.7).toArray(), shape);
    }

    /// These numbers, rounded to the type.
    public Twin given(String name, DType dtype, double[] numbers, long... shape) {
        double[] rounded = Arrays.stream(numbers).map(number -> Numbers.round(number, dtype)).toArray();
        Tensor tensor = scope.allocate(name, dtype, shape);
        upload(tensor, rounded);
        return new Twin(tensor, rounded);
    }

    /// One float32 number.
    public Tensor scalar(String name, float number) {
        return given(name, DType.FLOAT32, new double[] {number}, 1).tensor();
    }

    public Tensor ints(String name, int[] numbers, long... shape) {
        return given(name, DType.INT32, Arrays.stream(numbers).asDoubleStream().toArray(), shape).tensor();
    }

    public Segments segments(int... lengths) {
        int[] starts = new int[lengths.length + 1];
        for (int i = 0; i < lengths.length; i++) {
            starts[i + 1] = starts[i] + lengths[i];
        }
        return new Segments(starts, ints("segments", starts, starts.length));
    }

    /// An output in the backend's activation type, poisoned.
    public Tensor output(String name, long... shape) {
        return poisoned(name, backend.activationType(), shape);
    }

    public Tensor poisoned(String name, DType dtype, long... shape) {
        Tensor tensor = scope.allocate(name, dtype, shape);
        poison(tensor);
        return tensor;
    }

    /// Overwrites with NaN, or an absurd integer.
    public void poison(Tensor tensor) {
        boolean integer = tensor.dtype() == DType.INT32 || tensor.dtype() == DType.UINT8;
        double[] rubbish = new double[Math.toIntExact(tensor.elements())];
        Arrays.fill(rubbish, integer ? ABSURD : Double.NaN);
        upload(tensor, rubbish);
    }

    public void upload(Tensor tensor, double[] numbers) {
        try (var arena = Arena.ofConfined()) {
            backend.upload(Numbers.encode(numbers, tensor.dtype(), arena), tensor);
        }
    }

    public double[] read(Tensor tensor) {
        try (var arena = Arena.ofConfined()) {
            var host = arena.allocate(tensor.bytes(), 64);
            backend.download(tensor, host);
            return Numbers.decode(host, tensor.dtype());
        }
    }

    public int[] readInts(Tensor tensor) {
        return Arrays.stream(read(tensor)).mapToInt(number -> (int) number).toArray();
    }

    /// A LoRA for [experts..., out, in] with gradients that already hold something, since backward passes add.
    public LoraTwin lora(String name, int rank, int out, int in, double scale, long... experts) {
        return new LoraTwin(activations(name + ".a", 1 / Math.sqrt(in), shape(experts, rank, in)),
                activations(name + ".b", 0.3, shape(experts, out, rank)), (float) scale,
                gradient(name + ".gradA", shape(experts, rank, in)), gradient(name + ".gradB", shape(experts, out, rank)));
    }

    private Twin gradient(String name, long... shape) {
        return draw(name, gradientType, 0.5, shape);
    }

    private static long[] shape(long[] leading, long rows, long columns) {
        return IntStream.range(0, leading.length + 2).mapToLong(i -> i < leading.length ? leading[i]
                : i == leading.length ? rows : columns).toArray();
    }

    /// A LoRA and its numbers.
    public record LoraTwin(Twin a, Twin b, float scale, Twin gradA, Twin gradB) {
        public Lora lora() {
            return new Lora(a.tensor(), b.tensor(), scale, gradA.tensor(), gradB.tensor());
        }
    }

    /// Fails if the relative Frobenius error of what a tensor holds exceeds the tolerance.
    public void assertClose(Tensor actual, double[] wanted) {
        double[] found = read(actual);
        double difference = 0;
        double size = 0;
        int worst = 0;
        for (int i = 0; i < wanted.length; i++) {
            double d = found[i] - wanted[i];
            difference += d * d;
            size += wanted[i] * wanted[i];
            worst = Double.isNaN(found[i]) || Math.abs(d) > Math.abs(found[worst] - wanted[worst]) ? i : worst;
        }
        double error = size == 0 ? Math.sqrt(difference) : Math.sqrt(difference / size);
        String report = actual + ": relative error " + error + ", allowed " + tolerance + "; element " + worst + " is "
                + found[worst] + ", should be " + wanted[worst];
        assertTrue(error <= tolerance, report);
    }

    /// As [#assertClose], but every element by itself within an absolute distance.
    public void assertWithin(Tensor actual, double[] wanted, double distance) {
        assertArrayEquals(wanted, read(actual), distance, actual.toString());
    }

    /// What a gradient that started as `before` should be after `added` was added.
    public static double[] sum(double[] before, double[] added) {
        return IntStream.range(0, before.length).mapToDouble(i -> before[i] + added[i]).toArray();
    }

    @Override
    public void close() {
        scope.close();
    }
}
