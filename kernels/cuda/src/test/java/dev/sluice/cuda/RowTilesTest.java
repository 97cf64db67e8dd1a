package dev.sluice.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.compute.Availability;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Scope;
import dev.sluice.compute.contract.World;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Both lists of pieces against a plain cutting of rows; a card without the Hopper kernels has only one.
class RowTilesTest {
    private static final int HEIGHT = TileSizes.of("GEMM_ROWS");
    private static final int MOST = TileSizes.of("EXPERT_GEMM_PIECE");
    private static final int UNIT = 16;

    /// Offsets of experts among `rows` rows; `whole` where they are all the experts there are.
    private record Case(String name, int[] offsets, int rows, boolean whole) {
        static Case whole(int... rowsOf) {
            int[] offsets = offsets(0, rowsOf);
            return new Case(rowsOf.length + " experts of " + Arrays.toString(Arrays.copyOf(rowsOf, Math.min(rowsOf.length, 6))), offsets,
                    offsets[rowsOf.length], true);
        }

        static Case part(int first, int rows, int... rowsOf) {
            return new Case("part from row " + first + " of " + Arrays.toString(rowsOf), offsets(first, rowsOf), rows, false);
        }

        private static int[] offsets(int first, int[] rowsOf) {
            int[] offsets = IntStream.concat(IntStream.of(first), Arrays.stream(rowsOf)).toArray();
            Arrays.parallelPrefix(offsets, Integer::sum);
            return offsets;
        }

        RowTiles build(World world, Scope scope) {
            var tensor = world.ints("offsets", offsets, offsets.length);
            return whole ? RowTiles.build(backend.device(), tensor, rows, scope) : RowTiles.ofPart(backend.device(), tensor, rows, scope);
        }

        /// {expert, first row, rows, 0} of pieces of so many rows.
        private IntStream cut(int expert, IntStream heights) {
            int end = offsets[expert + 1];
            int[] begin = {offsets[expert]};
            return heights.flatMap(height -> {
                int first = begin[0];
                begin[0] += height;
                return IntStream.of(expert, first, Math.min(height, end - first), 0);
            });
        }

        int[] fixed() {
            return experts().flatMap(e -> cut(e, IntStream.range(0, Math.ceilDiv(rowsOf(e), HEIGHT)).map(piece -> HEIGHT))).toArray();
        }

        int[] even() {
            return experts().flatMap(e -> cut(e, Arrays.stream(dealt(rowsOf(e))))).toArray();
        }

        private IntStream experts() {
            return IntStream.range(0, offsets.length - 1);
        }

        private int rowsOf(int expert) {
            return offsets[expert + 1] - offsets[expert];
        }

        /// Units dealt to as few pieces as can be, one after the other.
        private static int[] dealt(int rows) {
            int[] heights = new int[Math.ceilDiv(rows, MOST)];
            IntStream.range(0, Math.ceilDiv(rows, UNIT)).forEach(unit -> heights[unit % heights.length] += UNIT);
            return heights;
        }

        @Override
        public String toString() {
            return name;
        }
    }

    private static Availability availability;
    private static CudaBackend backend;

    @BeforeAll
    static void open() {
        var provider = new HopperProvider().probe() instanceof Availability.Available ? new HopperProvider() : new PortableProvider();
        availability = provider.probe();
        backend = availability instanceof Availability.Available ? (CudaBackend) provider.open() : null;
    }

    @AfterAll
    static void close() {
        if (backend != null) {
            backend.close();
        }
    }

    private static int[] manyExperts() {
        int[] rows = IntStream.range(0, 1500).map(e -> e % 7 == 0 ? 0 : e * 37 % 400).toArray();
        rows[1023] = 50_000;
        rows[1400] = 3_000;
        return rows;
    }

    private static int[] experts(int count) {
        return IntStream.range(0, count).map(e -> (e + 1) * 53 % 307).toArray();
    }

    static Stream<Case> cases() {
        return Stream.concat(
                IntStream.of(31, 32, 33, 128, 255, 256, 257, 1023, 1024, 1025, 2048, 2100).mapToObj(count -> Case.whole(experts(count))),
                Stream.of(Case.whole(1), Case.whole(0, 1, 0), Case.whole(127, 128, 129), Case.whole(159, 160, 161),
                        Case.whole(319, 320, 321, 0, 1600, 1601, 15, 16, 17), Case.whole(0, 0, 100_000, 0), Case.whole(300_000),
                        Case.whole(manyExperts()), Case.part(300, 1000, 127, 0, 173), Case.part(7, 8, 1), Case.part(5, 5, 0, 0, 0),
                        Case.part(0, 4000, 161, 3839), Case.part(123_456, 200_000, experts(300))));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void everyExpertIsCutIntoItsPiecesInOrder(Case c) {
        built(c, (world, tiles) -> {
            assertPieces(c.fixed(), world, tiles.fixed());
            if (tiles.even() != null) {
                assertPieces(c.even(), world, tiles.even());
            }
        });
    }

    private static void built(Case c, BiConsumer<World, RowTiles> check) {
        assumeTrue(backend != null, availability.toString());
        try (var world = new World(backend, 0, 1)) {
            spoil(world);
            try (var step = backend.scope(Lifetime.STEP, "step")) {
                check.accept(world, c.build(world, step));
            }
        }
    }

    /// What an earlier case left behind is no result.
    private static void spoil(World world) {
        try (var step = backend.scope(Lifetime.STEP, "step")) {
            world.poison(step.allocate("rubbish", DType.INT32, 1 << 16));
        }
    }

    private static void assertPieces(int[] wanted, World world, RowTiles.Pieces pieces) {
        assertEquals(wanted.length, 4 * world.readInts(pieces.count())[0]);
        assertTrue(wanted.length <= 4 * pieces.limit(), "more pieces than the list has room for");
        assertArrayEquals(wanted, Arrays.copyOf(world.readInts(pieces.table()), wanted.length));
    }

    static Stream<Case> wrongCases() {
        int[] dip = Case.whole(manyExperts()).offsets;
        int rows = dip[1500];
        dip[1401] = dip[1402] + 1;
        return Stream.of(new Case("begins late", new int[] {1, 6}, 6, true), new Case("ends early", new int[] {0, 5}, 6, true),
                new Case("ends late", new int[] {0, 7}, 6, true), new Case("descends", new int[] {0, 5, 3, 6}, 6, true),
                new Case("descends late", dip, rows, true), new Case("part begins before all rows", new int[] {-1, 3}, 8, false),
                new Case("part ends behind all rows", new int[] {2, 9}, 8, false), new Case("part descends", new int[] {2, 6, 5}, 8, false));
    }

    @ParameterizedTest
    @MethodSource("wrongCases")
    void wrongOffsetsGiveNoPiecesAndAFault(Case c) {
        built(c, (world, tiles) -> {
            var fault = assertThrows(IllegalArgumentException.class, backend::synchronize);
            assertTrue(fault.getMessage().startsWith("experts: the offsets of " + (c.offsets.length - 1)), fault.getMessage());
            for (var pieces : tiles.even() == null ? List.of(tiles.fixed()) : List.of(tiles.fixed(), tiles.even())) {
                assertEquals(0, world.readInts(pieces.count())[0]);
            }
        });
    }
}
