package dev.sluice.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.compute.Availability;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Replay;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.contract.World;
import dev.sluice.compute.contract.World.Twin;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Gradients of experts' adapters against float64 sums, however unevenly rows fall to experts.
class LoraGradientTest {
    /// Shares of few rows.
    private static final int SHARE = Math.toIntExact(LoraGradient.shareRows(1, 1));

    /// Which matrix, of which sizes.
    private record Matrix(boolean a, int features, int rank, DType dtype, boolean gathered) {
        long[] shape(int experts) {
            return a ? new long[] {experts, rank, features} : new long[] {experts, features, rank};
        }
    }

    private record Case(int[] rowsOf, Matrix matrix) {
        int rows() {
            return Arrays.stream(rowsOf).sum();
        }

        @Override
        public String toString() {
            String rows = rowsOf.length > 9 ? rowsOf.length + " experts" : Arrays.toString(rowsOf);
            return (matrix.a ? "A" : "B") + " features=" + matrix.features + " rank=" + matrix.rank + " " + matrix.dtype
                    + (matrix.gathered ? " gathered " : " ") + rows;
        }
    }

    private static Availability availability;
    private static CudaBackend backend;

    @BeforeAll
    static void open() {
        availability = new PortableProvider().probe();
        backend = availability instanceof Availability.Available ? (CudaBackend) new PortableProvider().open() : null;
    }

    @AfterAll
    static void close() {
        if (backend != null) {
            backend.close();
        }
    }

    private static void needsAGpu() {
        assumeTrue(backend != null, availability.toString());
    }

    private static int[] manyExperts() {
        int[] rows = IntStream.range(0, 300).map(e -> e % 7 == 0 ? 0 : e % 11).toArray();
        rows[5] = 1000;
        rows[280] = 2000;
        rows[299] = 2 * SHARE;
        return rows;
    }

    static Stream<Case> cases() {
        int[][] routings = {{3000}, {0, 3000, 0}, {1, 0, 2 * SHARE - 1, 2 * SHARE, 2 * SHARE + 1, 0}, {3 * SHARE - 1, 3 * SHARE, 3 * SHARE + 1},
            {SHARE - 1, SHARE, SHARE + 1, 1, 0}, {31, 5000, 33, 400, 0, 7}, {0, 0}, {0, 1}, {2 * SHARE, 2 * SHARE, 2 * SHARE}, manyExperts()};
        Matrix[] matrices = {new Matrix(true, 768, 16, DType.FLOAT32, false), new Matrix(false, 768, 16, DType.FLOAT32, true),
            new Matrix(true, 520, 4, DType.BFLOAT16, true), new Matrix(false, 520, 4, DType.BFLOAT16, false),
            new Matrix(true, 264, 64, DType.FLOAT32, true), new Matrix(false, 264, 64, DType.BFLOAT16, false),
            new Matrix(true, 256, 24, DType.BFLOAT16, false), new Matrix(false, 72, 20, DType.FLOAT32, true),
            new Matrix(true, 33, 5, DType.FLOAT32, false), new Matrix(false, 33, 13, DType.BFLOAT16, true),
            new Matrix(false, 40, 72, DType.FLOAT32, false), new Matrix(true, 40, 72, DType.FLOAT32, true)};
        return Arrays.stream(routings).flatMap(rows -> Arrays.stream(matrices).map(matrix -> new Case(rows, matrix)));
    }

    /// Shares grow with the rows of all experts.
    static Stream<Case> longCases() {
        return Stream.of(new Case(new int[] {0, 45_000, 100, 0}, new Matrix(true, 64, 8, DType.FLOAT32, false)),
                new Case(new int[] {500, 20_000, 511, 512, 513, 1, 25_000}, new Matrix(false, 64, 16, DType.BFLOAT16, true)));
    }

    /// A case's tensors; the gradient holds something already.
    private record Operands(Case of, Twin wide, Twin z, int[] map, Tensor mapTensor, Tensor offsets, Twin gradient) {
        static Operands of(World world, Case c) {
            var m = c.matrix;
            int rows = c.rows();
            int tokens = m.gathered ? rows / 3 + 5 : Math.max(rows, 1);
            int[] map = m.gathered ? new Random(5).ints(Math.max(rows, 1), 0, tokens).toArray() : null;
            int[] offsets = IntStream.rangeClosed(0, c.rowsOf.length).map(e -> IntStream.range(0, e).map(i -> c.rowsOf[i]).sum()).toArray();
            var shape = m.shape(c.rowsOf.length);
            return new Operands(c, world.activations("wide", 1, tokens, m.features), world.activations("z", 1, Math.max(rows, 1), m.rank), map,
                    map == null ? null : world.ints("map", map, map.length), world.ints("offsets", offsets, offsets.length),
                    m.dtype == DType.FLOAT32 ? world.float32("gradient", 0.5, shape) : world.activations("gradient", 0.5, shape));
        }

        void add(Scope scope) {
            var sum = new LoraGradient(backend.device(), scope).of(wide.tensor(), of.matrix.features).gather(mapTensor, 0).rows(of.rows())
                    .grouped(offsets);
            if (of.matrix.a) {
                sum.addToA(z.tensor(), gradient.tensor());
            } else {
                sum.addToB(z.tensor(), gradient.tensor());
            }
        }

        double[] wanted() {
            var m = of.matrix;
            double[] sums = gradient.values().clone();
            int row = 0;
            for (int e = 0; e < of.rowsOf.length; e++) {
                int first = e * m.features * m.rank;
                for (int end = row + of.rowsOf[e]; row < end; row++) {
                    addRow(sums, first, (map == null ? row : map[row]) * m.features, row * m.rank);
                }
            }
            return sums;
        }

        private void addRow(double[] sums, int first, int x, int j0) {
            var m = of.matrix;
            for (int f = 0; f < m.features; f++) {
                for (int j = 0; j < m.rank; j++) {
                    sums[first + (m.a ? j * m.features + f : f * m.rank + j)] += wide.values()[x + f] * z.values()[j0 + j];
                }
            }
        }
    }

    /// float32 sums of up to 45,000 products; one rounding to the gradient's type.
    private static double tolerance(DType dtype) {
        return dtype == DType.FLOAT32 ? 0x1p-15 : 0x1p-8;
    }

    @ParameterizedTest
    @MethodSource({"cases", "longCases"})
    void sumsMatchFloat64(Case c) {
        needsAGpu();
        try (var world = new World(backend, 0, 3); var step = backend.scope(Lifetime.STEP, "step")) {
            var operands = Operands.of(world, c);
            operands.add(step);
            assertEveryExpertIsClose(c, world.read(operands.gradient.tensor()), operands.wanted());
        }
    }

    /// Every expert by itself: a popular one would hide what an unpopular one lacks.
    private static void assertEveryExpertIsClose(Case c, double[] found, double[] wanted) {
        int size = c.matrix.features * c.matrix.rank;
        for (int e = 0; e < c.rowsOf.length; e++) {
            double difference = 0;
            double length = 0;
            for (int i = e * size; i < (e + 1) * size; i++) {
                difference += (found[i] - wanted[i]) * (found[i] - wanted[i]);
                length += wanted[i] * wanted[i];
            }
            double error = Math.sqrt(difference / length);
            assertTrue(error <= tolerance(c.matrix.dtype), "expert " + e + " of " + c.rowsOf[e] + " rows: relative error " + error);
        }
    }

    /// Which of the blocks that share an expert comes last differs from run to run; what it adds does not.
    @ParameterizedTest
    @CsvSource({"true,16,FLOAT32", "false,16,FLOAT32", "true,64,BFLOAT16", "false,40,FLOAT32"})
    void everyRepetitionHasTheSameBits(boolean a, int rank, DType dtype) {
        needsAGpu();
        var c = new Case(new int[] {0, 9000, 500, 1, 2 * SHARE, 0, 4000}, new Matrix(a, 2048, rank, dtype, true));
        try (var world = new World(backend, 0, 4)) {
            var operands = Operands.of(world, c);
            double[] first = repeat(world, operands);
            for (int i = 1; i < 50; i++) {
                assertArrayEquals(first, repeat(world, operands), "repetition " + i);
            }
        }
    }

    private static double[] repeat(World world, Operands operands) {
        world.upload(operands.gradient.tensor(), operands.gradient.values());
        try (var step = backend.scope(Lifetime.STEP, "step")) {
            operands.add(step);
            operands.add(step);
        }
        return world.read(operands.gradient.tensor());
    }

    @Test
    void recordedStepHasTheBitsOfAPlainOne() {
        needsAGpu();
        var c = new Case(new int[] {700, 0, 3000, 5}, new Matrix(true, 512, 16, DType.FLOAT32, false));
        try (var world = new World(backend, 0, 5); var replay = backend.replay()) {
            var operands = Operands.of(world, c);
            double[] plain = replayed(world, operands, replay);
            for (int i = 0; i < 5; i++) {
                assertArrayEquals(plain, replayed(world, operands, replay));
            }
        }
    }

    private static double[] replayed(World world, Operands operands, Replay replay) {
        world.upload(operands.gradient.tensor(), operands.gradient.values());
        try (var step = backend.scope(Lifetime.STEP, "step")) {
            replay.run("gradient", step, scope -> operands.add(scope));
        }
        return world.read(operands.gradient.tensor());
    }

    /// rows, blocks of a share
    @ParameterizedTest
    @CsvSource({"1,1", "192,1", "32768,8", "262144,3", "2000000,64", "100000,1024", "100000,100000"})
    void sharesAreWholeStagesAndFitTheirPlaces(long rows, long blocks) {
        long share = LoraGradient.shareRows(rows, blocks);
        assertEquals(0, share % TileSizes.of("LORA_GRADIENT_ROWS"));
        assertTrue(rows / share <= TileSizes.of("LORA_GRADIENT_SHARES"));
        assertTrue(rows / share < 2 || rows / share * blocks <= Device.ARRIVALS);
    }
}
