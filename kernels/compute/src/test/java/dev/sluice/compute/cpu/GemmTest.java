package dev.sluice.compute.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.Arena;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Every product against float64 loops, with rows further apart than they are wide and NaN wherever nothing may be read.
class GemmTest {
    private static final int[][] SHAPES = {{1, 1, 1}, {1, 33, 7}, {6, 32, 16}, {7, 31, 17}, {13, 64, 3}, {64, 16, 129}, {5, 1, 40},
        {3, 515, 1025}, {1, 700, 1500}, {2, 1030, 600}, {16, 513, 127}, {17, 600, 130}, {33, 40, 2050}, {12, 40, 0}};

    private enum Kind { NT, NN, TN }

    static Stream<Arguments> products() {
        return Stream.of(new OpenBlas(), new VectorGemm(), new FewRows(new OpenBlas()), new FewRows(new VectorGemm()))
                .flatMap(gemm -> Stream.of(Kind.values()).flatMap(kind -> Stream.of(SHAPES).flatMap(shape ->
                        Stream.of(false, true).map(add -> Arguments.of(gemm, kind, shape[0], shape[1], shape[2], add)))));
    }

    @ParameterizedTest
    @MethodSource("products")
    void productMatchesItsReference(Gemm gemm, Kind kind, int m, int n, int k, boolean add) {
        try (var arena = Arena.ofConfined()) {
            var random = new Random(m * 1000L + n);
            var a = kind == Kind.TN ? new Rectangle(arena, k, m, random) : new Rectangle(arena, m, k, random);
            var b = kind == Kind.NT ? new Rectangle(arena, n, k, random) : new Rectangle(arena, k, n, random);
            var c = new Rectangle(arena, m, n, add ? random : null);
            double[] before = c.read();
            switch (kind) {
                case NT -> gemm.nt(m, n, k, 0.75f, a.address, a.stride, b.address, b.stride, add, c.address, c.stride);
                case NN -> gemm.nn(m, n, k, 0.75f, a.address, a.stride, b.address, b.stride, add, c.address, c.stride);
                case TN -> gemm.tn(m, n, k, 0.75f, a.address, a.stride, b.address, b.stride, add, c.address, c.stride);
            }
            double tolerance = 8 * Math.sqrt(k + 1) * 0x1p-24;
            for (int i = 0; i < m; i++) {
                for (int j = 0; j < n; j++) {
                    double wanted = add ? before[i * n + j] : 0;
                    for (int p = 0; p < k; p++) {
                        wanted += 0.75 * (kind == Kind.TN ? a.get(p, i) : a.get(i, p)) * (kind == Kind.NT ? b.get(j, p) : b.get(p, j));
                    }
                    assertEquals(wanted, c.get(i, j), tolerance, "element " + i + ", " + j);
                }
            }
            c.assertMarginsUntouched();
        }
    }

    /// A matrix with a margin of NaN behind each row.
    private static final class Rectangle {
        private static final int MARGIN = 3;

        final long address;
        final int stride;
        private final int rows;
        private final int columns;

        /// @param random fills it, or null to leave NaN
        Rectangle(Arena arena, int rows, int columns, Random random) {
            this.rows = rows;
            this.columns = columns;
            stride = columns + MARGIN;
            address = arena.allocate(4L * Math.max(1, rows) * stride, 64).address();
            for (int i = 0; i < rows; i++) {
                for (int j = 0; j < stride; j++) {
                    boolean inside = j < columns && random != null;
                    Memory.set(Memory.at(address, (long) i * stride + j), inside ? random.nextFloat() - 0.5f : Float.NaN);
                }
            }
        }

        double get(int row, int column) {
            return Memory.get(Memory.at(address, (long) row * stride + column));
        }

        double[] read() {
            double[] all = new double[rows * columns];
            for (int i = 0; i < all.length; i++) {
                all[i] = get(i / columns, i % columns);
            }
            return all;
        }

        void assertMarginsUntouched() {
            for (int i = 0; i < rows; i++) {
                for (int j = columns; j < stride; j++) {
                    assertEquals(Double.NaN, get(i, j), "margin of row " + i);
                }
            }
        }
    }
}
