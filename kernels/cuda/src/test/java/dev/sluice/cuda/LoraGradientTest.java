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
import dev.sluice.compute.contract.World;
import dev.sluice.cuda.LoraGradientCase.Matrix;
import dev.sluice.cuda.LoraGradientCase.Operands;
import dev.sluice.cuda.LoraGradientCase.Rows;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Gradients of adapters, of dense layers and of experts, against float64 sums, however unevenly rows fall to experts.
class LoraGradientTest {
    /// Shares of few rows.
    private static final int SHARE = Math.toIntExact(LoraGradientKernel.expertShareRows(1, 1));
    private static final int DENSE_SHARE = Math.toIntExact(LoraGradientKernel.NARROW.denseShareRows(1, 1));

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

    private static Stream<Matrix> matrices() {
        return Stream.of(new Matrix(true, 768, 16, DType.FLOAT32, false), new Matrix(false, 768, 16, DType.FLOAT32, true),
            new Matrix(true, 520, 4, DType.BFLOAT16, true), new Matrix(false, 520, 4, DType.BFLOAT16, false),
            new Matrix(true, 264, 64, DType.FLOAT32, true), new Matrix(false, 264, 64, DType.BFLOAT16, false),
            new Matrix(true, 256, 24, DType.BFLOAT16, false), new Matrix(false, 72, 20, DType.FLOAT32, true),
            new Matrix(true, 33, 5, DType.FLOAT32, false), new Matrix(false, 33, 13, DType.BFLOAT16, true),
            new Matrix(false, 40, 72, DType.FLOAT32, false), new Matrix(true, 40, 72, DType.FLOAT32, true));
    }

    private static Stream<LoraGradientCase> ofAllMatrices(Rows form, int... rowsOf) {
        return matrices().map(matrix -> new LoraGradientCase(form, matrix, rowsOf));
    }

    static Stream<LoraGradientCase> cases() {
        int[][] routings = {{3000}, {0, 3000, 0}, {1, 0, 2 * SHARE - 1, 2 * SHARE, 2 * SHARE + 1, 0}, {3 * SHARE - 1, 3 * SHARE, 3 * SHARE + 1},
            {SHARE - 1, SHARE, SHARE + 1, 1, 0}, {31, 5000, 33, 400, 0, 7}, {0, 0}, {0, 1}, {2 * SHARE, 2 * SHARE, 2 * SHARE}, manyExperts()};
        return Arrays.stream(routings).flatMap(rows -> ofAllMatrices(Rows.EXPERTS, rows));
    }

    static Stream<LoraGradientCase> denseCases() {
        int[] rows = {0, 1, 31, 33, DENSE_SHARE, 2 * DENSE_SHARE - 1, 2 * DENSE_SHARE, 3 * DENSE_SHARE + 1, 1000, 4097};
        int[] limits = {0, 1, 33, 2 * DENSE_SHARE - 1, 2 * DENSE_SHARE, 1001};
        return Stream.concat(Arrays.stream(rows).boxed().flatMap(n -> ofAllMatrices(Rows.MATRIX, n)),
                Arrays.stream(limits).boxed().flatMap(n -> ofAllMatrices(Rows.LIMITED, n)));
    }

    static Stream<LoraGradientCase> everyRank() {
        return IntStream.rangeClosed(1, 64).boxed().flatMap(rank -> Stream.of(
                new LoraGradientCase(Rows.MATRIX, new Matrix(true, 264, rank, DType.FLOAT32, false), 600),
                new LoraGradientCase(Rows.MATRIX, new Matrix(false, 264, rank, DType.BFLOAT16, false), 600)));
    }

    /// Shares grow with the rows of all experts.
    static Stream<LoraGradientCase> longCases() {
        return Stream.of(new LoraGradientCase(Rows.EXPERTS, new Matrix(true, 64, 8, DType.FLOAT32, false), 0, 45_000, 100, 0),
                new LoraGradientCase(Rows.EXPERTS, new Matrix(false, 64, 16, DType.BFLOAT16, true), 500, 20_000, 511, 512, 513, 1, 25_000),
                new LoraGradientCase(Rows.MATRIX, new Matrix(true, 264, 16, DType.FLOAT32, false), 45_000),
                new LoraGradientCase(Rows.MATRIX, new Matrix(false, 264, 32, DType.FLOAT32, true), 45_000));
    }

    @ParameterizedTest
    @MethodSource({"cases", "denseCases", "everyRank", "longCases"})
    void sumsMatchFloat64(LoraGradientCase c) {
        needsAGpu();
        try (var world = new World(backend, 0, 3)) {
            var operands = List.of(c.operands(world));
            add(world, operands);
            operands.forEach(each -> each.assertEveryExpertIsClose(world));
        }
    }

    /// Queries, keys and values of one input, their A and B.
    private static Stream<LoraGradientCase> attention(int rows, int rank, DType dtype) {
        return Stream.of(new Matrix(false, 1024, rank, dtype, false), new Matrix(true, 520, rank, dtype, false),
                new Matrix(false, 256, rank, dtype, false), new Matrix(true, 520, rank, dtype, false),
                new Matrix(false, 264, rank, dtype, false), new Matrix(true, 520, rank, dtype, false))
                .map(matrix -> new LoraGradientCase(Rows.MATRIX, matrix, rows));
    }

    /// More than a launch takes, of both forms and all ranks.
    private static Stream<LoraGradientCase> mixed() {
        return Stream.of(attention(2000, 16, DType.FLOAT32), Stream.of(
                new LoraGradientCase(Rows.EXPERTS, new Matrix(true, 300, 40, DType.BFLOAT16, true), 0, 700, 5, 2000, 0),
                new LoraGradientCase(Rows.LIMITED, new Matrix(false, 40, 3, DType.FLOAT32, true), 900),
                new LoraGradientCase(Rows.MATRIX, new Matrix(true, 256, 16, DType.BFLOAT16, false), 0),
                new LoraGradientCase(Rows.MATRIX, new Matrix(false, 520, 8, DType.FLOAT32, false), 1),
                new LoraGradientCase(Rows.EXPERTS, new Matrix(false, 264, 16, DType.FLOAT32, false), 1, 0, 900, 384))).flatMap(s -> s);
    }

    static Stream<List<LoraGradientCase>> groups() {
        return Stream.of(attention(1000, 16, DType.FLOAT32), attention(4000, 16, DType.BFLOAT16), attention(2000, 64, DType.FLOAT32),
                attention(1, 8, DType.FLOAT32), attention(0, 16, DType.FLOAT32), mixed()).map(Stream::toList);
    }

    @ParameterizedTest
    @MethodSource("groups")
    void sumsOfOneLaunchMatchFloat64(List<LoraGradientCase> group) {
        needsAGpu();
        try (var world = new World(backend, 0, 6)) {
            var operands = group.stream().map(c -> c.operands(world)).toList();
            add(world, operands);
            operands.forEach(each -> each.assertEveryExpertIsClose(world));
        }
    }

    private static void add(World world, List<Operands> operands) {
        spoil(world);
        try (var step = backend.scope(Lifetime.STEP, "step")) {
            add(step, operands);
        }
    }

    private static void add(Scope scope, List<Operands> operands) {
        new LoraGradients(backend.device(), scope).add(operands.stream().map(Operands::sum).toList());
    }

    /// What an earlier case left in places is no result.
    private static void spoil(World world) {
        try (var step = backend.scope(Lifetime.STEP, "step")) {
            world.poison(step.allocate("rubbish", DType.FLOAT32, 1 << 21));
        }
    }

    /// Which of the blocks that share an expert comes last differs from run to run; what it adds does not.
    @ParameterizedTest
    @CsvSource({"true,16,FLOAT32", "false,16,FLOAT32", "true,64,BFLOAT16", "false,40,FLOAT32"})
    void everyRepetitionHasTheSameBits(boolean a, int rank, DType dtype) {
        needsAGpu();
        assertSameBits(Stream.of(
                new LoraGradientCase(Rows.EXPERTS, new Matrix(a, 2048, rank, dtype, true), 0, 9000, 500, 1, 2 * SHARE, 0, 4000)));
    }

    @ParameterizedTest
    @EnumSource(names = {"FLOAT32", "BFLOAT16"})
    void everyRepetitionOfALaunchOfManyHasTheSameBits(DType dtype) {
        needsAGpu();
        assertSameBits(attention(4096, 16, dtype));
        assertSameBits(attention(2048, 40, dtype));
        assertSameBits(mixed());
    }

    private static void assertSameBits(Stream<LoraGradientCase> cases) {
        try (var world = new World(backend, 0, 4)) {
            var operands = cases.map(c -> c.operands(world)).toList();
            var first = repeat(world, operands);
            for (int i = 1; i < 50; i++) {
                var next = repeat(world, operands);
                for (int k = 0; k < first.size(); k++) {
                    assertArrayEquals(first.get(k), next.get(k), "repetition " + i + " of " + operands.get(k).of());
                }
            }
        }
    }

    private static List<double[]> repeat(World world, List<Operands> operands) {
        operands.forEach(each -> each.reset(world));
        try (var step = backend.scope(Lifetime.STEP, "step")) {
            add(step, operands);
            add(step, operands);
        }
        return operands.stream().map(each -> world.read(each.gradient().tensor())).toList();
    }

    @ParameterizedTest
    @EnumSource(Rows.class)
    void recordedStepHasTheBitsOfAPlainOne(Rows form) {
        needsAGpu();
        int[] rows = form == Rows.EXPERTS ? new int[] {700, 0, 3000, 5} : new int[] {3705};
        var c = new LoraGradientCase(form, new Matrix(true, 512, 16, DType.FLOAT32, false), rows);
        try (var world = new World(backend, 0, 5); var replay = backend.replay()) {
            var operands = c.operands(world);
            double[] plain = replayed(world, operands, replay);
            for (int i = 0; i < 5; i++) {
                assertArrayEquals(plain, replayed(world, operands, replay));
            }
        }
    }

    private static double[] replayed(World world, Operands operands, Replay replay) {
        operands.reset(world);
        try (var step = backend.scope(Lifetime.STEP, "step")) {
            replay.run("gradient", step, scope -> add(scope, List.of(operands)));
        }
        return world.read(operands.gradient().tensor());
    }

    /// rows, blocks of a share
    @ParameterizedTest
    @CsvSource({"1,1", "192,1", "32768,8", "262144,3", "2000000,64", "100000,1024", "100000,100000"})
    void sharesAreWholeStagesAndFitTheirPlaces(long rows, long columns) {
        long share = LoraGradientKernel.expertShareRows(rows, columns);
        assertEquals(0, share % TileSizes.of("LORA_GRADIENT_ROWS"));
        assertTrue(rows / share <= TileSizes.of("LORA_GRADIENT_SHARES"));
        assertTrue(rows / share < 2 || rows / share * columns <= Device.ARRIVALS);
    }

    /// kernel, rows, blocks of a share, wanted shares
    @ParameterizedTest
    @CsvSource({"NARROW,0,1,0", "NARROW,255,8,1", "NARROW,256,8,2", "NARROW,1024,44,8", "NARROW,4096,44,9", "NARROW,3001,24,16", "NARROW,131072,44,9",
        "NARROW,1024,24,8", "NARROW,4096,24,16", "NARROW,4096,8,16", "NARROW,4096,602,1", "WIDE,4096,44,3", "WIDE,4096,8,8"})
    void denseSharesFillAGpuOnce(LoraGradientKernel kernel, long rows, long columns, long wanted) {
        assertEquals(wanted, rows / kernel.denseShareRows(rows, columns));
    }
}
