package dev.sluice.cuda;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.contract.World;
import dev.sluice.compute.contract.World.Twin;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;

/// A gradient of a LoRA matrix, or of one of each expert.
///
/// @param rowsOf rows of every expert; of the one matrix, where there are no experts
record LoraGradientCase(Rows form, Matrix matrix, int... rowsOf) {
    /// Rows past the limit that a launch hears of.
    private static final int BEYOND = 300;
    private static final int LIMIT_OFFSET = 7;

    /// Whose rows they are. Of LIMITED rows only the device knows how many exist.
    enum Rows { EXPERTS, MATRIX, LIMITED }

    /// Which matrix, of which sizes.
    record Matrix(boolean a, int features, int rank, DType dtype, boolean gathered) {}

    int rows() {
        return Arrays.stream(rowsOf).sum();
    }

    /// Rows that the launch hears of.
    int claimed() {
        return form == Rows.LIMITED ? rows() + BEYOND : rows();
    }

    private long[] shape() {
        long[] one = matrix.a ? new long[] {matrix.rank, matrix.features} : new long[] {matrix.features, matrix.rank};
        return form == Rows.EXPERTS ? new long[] {rowsOf.length, one[0], one[1]} : one;
    }

    @Override
    public String toString() {
        String rows = rowsOf.length > 9 ? rowsOf.length + " experts" : Arrays.toString(rowsOf);
        return form + " " + (matrix.a ? "A" : "B") + " features=" + matrix.features + " rank=" + matrix.rank + " " + matrix.dtype
                + (matrix.gathered ? " gathered " : " ") + rows;
    }

    Operands operands(World world) {
        int claimed = Math.max(claimed(), 1);
        int tokens = matrix.gathered ? rows() / 3 + 5 : claimed;
        int[] map = matrix.gathered ? map(claimed, tokens) : null;
        int[] offsets = IntStream.rangeClosed(0, rowsOf.length).map(e -> IntStream.range(0, e).map(i -> rowsOf[i]).sum()).toArray();
        // Whoever reads the last token's row or one past the limit reads NaN.
        var wide = drawn(world, "wide", matrix.gathered ? tokens - 1 : rows(), tokens, matrix.features);
        var gradient = matrix.dtype == DType.FLOAT32 ? world.float32("gradient", 0.5, shape()) : world.activations("gradient", 0.5, shape());
        return new Operands(this, wide, drawn(world, "z", rows(), claimed, matrix.rank), map,
                map == null ? null : world.ints("map", map, map.length),
                form == Rows.EXPERTS ? world.ints("offsets", offsets, offsets.length) : null,
                form == Rows.LIMITED ? world.ints("limit", new int[] {rows() == 0 ? LIMIT_OFFSET - 4 : LIMIT_OFFSET + rows()}, 1) : null, gradient);
    }

    private int[] map(int claimed, int tokens) {
        int[] map = new Random(5).ints(claimed, 0, tokens - 1).toArray();
        Arrays.fill(map, Math.min(rows(), claimed), claimed, tokens - 1);
        return map;
    }

    private static Twin drawn(World world, String name, int rows, int claimed, int columns) {
        double[] numbers = world.random().doubles((long) claimed * columns, -1.7, 1.7).toArray();
        Arrays.fill(numbers, Math.min(rows, claimed) * columns, numbers.length, Double.NaN);
        return world.given(name, world.backend().activationType(), numbers, claimed, columns);
    }

    /// float32 sums of up to 45,000 products; one rounding to the gradient's type.
    private double tolerance() {
        return matrix.dtype == DType.FLOAT32 ? 0x1p-15 : 0x1p-8;
    }

    /// A case's tensors; the gradient holds something already.
    record Operands(LoraGradientCase of, Twin wide, Twin z, int[] map, Tensor mapTensor, Tensor offsets, Tensor limit, Twin gradient) {
        LoraGradient sum() {
            var sum = LoraGradient.of(wide.tensor(), of.matrix.features).gather(mapTensor, 0).rows(of.claimed()).grouped(offsets)
                    .limit(limit, limit == null ? 0 : LIMIT_OFFSET);
            return of.matrix.a ? sum.intoA(z.tensor(), gradient.tensor()) : sum.intoB(z.tensor(), gradient.tensor());
        }

        void reset(World world) {
            world.upload(gradient.tensor(), gradient.values());
        }

        /// Every expert by itself: a popular one would hide what an unpopular one lacks.
        void assertEveryExpertIsClose(World world) {
            double[] found = world.read(gradient.tensor());
            double[] wanted = wanted();
            int size = of.matrix.features * of.matrix.rank;
            for (int e = 0; e < of.rowsOf.length; e++) {
                double difference = 0;
                double length = 0;
                for (int i = e * size; i < (e + 1) * size; i++) {
                    difference += (found[i] - wanted[i]) * (found[i] - wanted[i]);
                    length += wanted[i] * wanted[i];
                }
                double error = Math.sqrt(difference / length);
                assertTrue(error <= of.tolerance(), of + ": expert " + e + " of " + of.rowsOf[e] + " rows: relative error " + error);
            }
        }

        private double[] wanted() {
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
}
