package dev.sluice.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Availability;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.contract.World;
import dev.sluice.compute.contract.World.Twin;
import java.util.Arrays;
import java.util.Map;
import java.util.function.IntUnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// Products of few rows or few columns against float64 sums, and that the kernels of `gemm_narrow.cu` computed them.
class NarrowGemmTest {
    /// Float32 sums of up to 2,048 products, where a few of them may nearly cancel.
    private static final double SUMS = 0x1p-15;
    /// One rounding of them to bf16.
    private static final double ROUNDED = 0x1p-8;

    private static CudaBackend backend;

    @BeforeAll
    static void needsAGpu() {
        var availability = new PortableProvider().probe();
        assumeTrue(availability instanceof Availability.Available, availability.toString());
        backend = (CudaBackend) new PortableProvider().open();
    }

    @AfterAll
    static void close() {
        if (backend != null) {
            backend.close();
        }
    }

    /// rows, k, columns of A, n
    @ParameterizedTest
    @CsvSource({"1,8,8,1", "1,2048,2048,128", "31,11,16,24", "32,32,32,32", "33,40,48,33", "63,256,256,8", "64,264,264,128", "65,1000,1000,127",
        "96,520,520,100", "127,2040,2040,120", "128,33,33,64", "129,2048,2048,128", "300,72,80,128", "5000,100,104,20", "40,768,768,500"})
    void sumsMatchFloat64(int rows, int k, int stride, int n) {
        for (var form : Gemm.Form.values()) {
            for (var output : new Gemm.Output[] {Gemm.Output.FLOAT32, Gemm.Output.ROUNDED_FLOAT32}) {
                for (var mode : Accumulate.values()) {
                    try (var world = new World(backend, output == Gemm.Output.FLOAT32 ? SUMS : ROUNDED, rows + n)) {
                        var a = padded(world, rows, k, stride);
                        var weight = weight(world, form, k, n);
                        var c = world.float32("c", 1, rows + 1L, n);
                        var product = Gemm.of(backend.device(), form, weight.tensor()).a(a.tensor(), stride).into(c.tensor(), n, output);
                        var before = backend.launches();
                        (mode == Accumulate.ADD ? product.add() : product).run(rows);
                        assertEquals(Map.of(kernel(form, k, stride, n), 1L), since(before));
                        double[] wanted = c.values().clone();
                        for (int i = 0; i < rows * n; i++) {
                            wanted[i] = sum(form, a, i / n * stride, weight, 0, i % n, k, n) + (mode == Accumulate.ADD ? wanted[i] : 0);
                        }
                        world.assertClose(c.tensor(), wanted);
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Gemm.Form.class)
    void noRowsWriteNothing(Gemm.Form form) {
        try (var world = new World(backend, 0, 1)) {
            var c = world.float32("c", 1, 2, 24);
            var product = Gemm.of(backend.device(), form, weight(world, form, 16, 24).tensor()).a(padded(world, 2, 16, 16).tensor(), 16)
                    .into(c.tensor(), 24, Gemm.Output.FLOAT32);
            product.run(0);
            product.limit(world.ints("none", new int[] {3}, 1), 3).run(2);
            product.limit(world.ints("fewer", new int[] {1}, 1), 3).run(2);
            world.assertClose(c.tensor(), c.values());
        }
    }

    /// rows, rows that exist, k, columns of A, n, rank
    @ParameterizedTest
    @CsvSource({"1,1,8,8,8,1", "33,32,40,40,24,8", "65,65,264,264,40,16", "100,63,77,80,30,5", "129,127,520,520,128,40", "128,97,31,31,17,300",
        "70,70,1000,1000,72,256"})
    void rowsOfMapsGetUpdateAndBias(int rows, int exist, int k, int stride, int n, int rank) {
        for (var form : Gemm.Form.values()) {
            for (var mode : Accumulate.values()) {
                try (var world = new World(backend, ROUNDED, rows + n)) {
                    int[] from = IntStream.range(0, rows + 2).map(r -> r * 7 % rows).toArray();
                    int[] to = IntStream.range(0, rows + 1).map(r -> rows - r).toArray();
                    var a = padded(world, rows, k, stride);
                    var weight = weight(world, form, k, n);
                    var z = world.activations("z", 1, rows, rank);
                    var u = weight(world, form, rank, n);
                    var bias = world.float32("bias", 1, n);
                    var c = world.activations("c", 1, rows + 1L, n + 3L);
                    var product = Gemm.of(backend.device(), form, weight.tensor()).a(a.tensor(), stride).alpha(0.75)
                            .gather(world.ints("from", from, from.length), 2).scatter(world.ints("to", to, to.length), 1)
                            .update(z.tensor(), u.tensor(), rank).bias(bias.tensor()).into(c.tensor(), n + 3L, Gemm.Output.BFLOAT16)
                            .limit(world.ints("limit", new int[] {exist + 5}, 1), 5);
                    var before = backend.launches();
                    (mode == Accumulate.ADD ? product.add() : product).run(rows);
                    assertEquals(Map.of(kernel(form, k, stride, n), 1L), since(before));
                    double[] wanted = c.values().clone();
                    for (int i = 0; i < exist * n; i++) {
                        int r = i / n;
                        int j = i % n;
                        double sum = 0.75 * sum(form, a, from[r + 2] * stride, weight, 0, j, k, n) + sum(form, z, r * rank, u, 0, j, rank, n);
                        int at = to[r + 1] * (n + 3) + j;
                        wanted[at] = sum + bias.values()[j] + (mode == Accumulate.ADD ? wanted[at] : 0);
                    }
                    world.assertClose(c.tensor(), wanted);
                }
            }
        }
    }

    /// k, n, rank
    @ParameterizedTest
    @CsvSource({"40,24,8", "33,32,0", "256,8,16", "520,17,5"})
    void rowsOfExpertsTakeTheirMatrix(int k, int n, int rank) {
        int[] offsets = {0, 0, 1, 130, 163, 291, 291};
        int count = offsets.length - 1;
        int rows = offsets[count];
        for (var form : Gemm.Form.values()) {
            try (var world = new World(backend, ROUNDED, k + n); var step = backend.scope(Lifetime.STEP, "step")) {
                int stride = Math.ceilDiv(k, 8) * 8;
                var a = padded(world, rows, k, stride);
                var weight = weight(world, form, k, n, count);
                var z = world.activations("z", 1, rows, Math.max(rank, 1));
                var u = weight(world, form, Math.max(rank, 1), n, count);
                var bias = world.activations("bias", 1, count, n);
                var c = world.output("c", rows, n);
                var tiles = RowTiles.build(backend.device(), world.ints("offsets", offsets, offsets.length), rows, step);
                var product = Gemm.of(backend.device(), form, weight.tensor()).a(a.tensor(), stride).bias(bias.tensor())
                        .into(c, Accumulate.REPLACE);
                var before = backend.launches();
                (rank == 0 ? product : product.update(z.tensor(), u.tensor(), rank)).run(tiles);
                assertEquals(Map.of(kernel(form, k, stride, n), 1L), since(before));
                double[] wanted = new double[rows * n];
                for (int expert = 0; expert < count; expert++) {
                    for (int i = offsets[expert] * n; i < offsets[expert + 1] * n; i++) {
                        wanted[i] = sum(form, a, i / n * stride, weight, expert, i % n, k, n) + bias.values()[expert * n + i % n]
                                + (rank == 0 ? 0 : sum(form, z, i / n * rank, u, expert, i % n, rank, n));
                    }
                }
                world.assertClose(c, wanted);
            }
        }
    }

    /// rows, k, n
    @ParameterizedTest
    @CsvSource({"1409,2048,128", "2111,2048,128", "2175,264,121", "4200,768,33", "2999,24,100"})
    void manyRowsTakeSquareTilesWithTheSameBitsAlways(int rows, int k, int n) {
        int multiprocessors = backend.device().multiprocessors();
        assumeTrue(multiprocessors > 66 && multiprocessors <= 132, "other numbers of multiprocessors take these rows in other tiles");
        try (var world = new World(backend, SUMS, rows + n)) {
            var a = padded(world, rows, k, k);
            var weight = weight(world, Gemm.Form.FORWARD, k, n);
            var c = world.float32("c", 1, rows + 1L, n);
            var product = Gemm.of(backend.device(), Gemm.Form.FORWARD, weight.tensor()).a(a.tensor(), k);
            var before = backend.launches();
            product.into(c.tensor(), n, Gemm.Output.FLOAT32).run(rows);
            assertEquals(Map.of("gemm_nt_narrow_64", 1L), since(before));
            double[] wanted = c.values().clone();
            IntStream.range(0, rows * n).parallel().forEach(i -> wanted[i] = sum(Gemm.Form.FORWARD, a, i / n * k, weight, 0, i % n, k, n));
            world.assertClose(c.tensor(), wanted);
            double[] first = world.read(c.tensor());
            for (int i = 0; i < 20; i++) {
                product.run(rows);
                assertArrayEquals(first, world.read(c.tensor()));
            }
        }
    }

    private static String kernel(Gemm.Form form, int k, int stride, int n) {
        int columns = form == Gemm.Form.FORWARD ? k : n;
        return form.kernel() + "_narrow" + (stride % 8 == 0 && columns % 8 == 0 ? "" : "_any");
    }

    /// How often each kernel has run since.
    private static Map<String, Long> since(Map<String, Long> before) {
        return backend.launches().entrySet().stream().filter(e -> !e.getValue().equals(before.get(e.getKey())))
                .collect(Collectors.toMap(Map.Entry::getKey, e -> e.getValue() - before.getOrDefault(e.getKey(), 0L)));
    }

    /// Zeros beyond the columns that are multiplied.
    private static Twin padded(World world, int rows, int k, int stride) {
        double[] numbers = world.random().doubles((long) rows * stride, -1, 1).toArray();
        for (int r = 0; r < rows; r++) {
            Arrays.fill(numbers, r * stride + k, (r + 1) * stride, 0);
        }
        return world.given("a", DType.BFLOAT16, numbers, rows, stride);
    }

    private static Twin weight(World world, Gemm.Form form, int k, int n, int... experts) {
        boolean forward = form == Gemm.Form.FORWARD;
        long[] shape = IntStream.concat(Arrays.stream(experts), IntStream.of(forward ? n : k, forward ? k : n)).asLongStream().toArray();
        return world.activations("weight", 1 / Math.sqrt(k), shape);
    }

    /// One element of a product with an expert's matrix.
    private static double sum(Gemm.Form form, Twin left, int begin, Twin matrix, int expert, int column, int k, int n) {
        IntUnaryOperator place = form == Gemm.Form.FORWARD ? i -> column * k + i : i -> i * n + column;
        double total = 0;
        for (int i = 0; i < k; i++) {
            total += left.values()[begin + i] * matrix.values()[expert * k * n + place.applyAsInt(i)];
        }
        return total;
    }
}
