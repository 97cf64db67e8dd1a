package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;

import dev.sluice.compute.Weight;

/// A stack of experts' frozen matrices and the products with one of them. Packed matrices are widened some rows at a
/// time, into scratch memory that stays in the cache.
sealed interface ExpertMatrix {
    int experts();

    /// Rows of one matrix.
    int out();

    /// Columns of one matrix.
    int in();

    /// Floats of scratch memory that a product needs.
    int scratch();

    /// `y[rows, out] (+)= x[rows, in] W^T`.
    void forward(Gemm gemm, int expert, long x, int rows, boolean add, long y, long scratch);

    /// `dx[rows, in] = dy[rows, out] W`.
    void backward(Gemm gemm, int expert, long dy, int rows, long dx, long scratch);

    static ExpertMatrix of(String operation, Weight weight) {
        return switch (weight) {
            case Weight.Dense _ -> new Plain(Matrix.of(operation, weight));
            case Weight.Packed packed -> new Packed(PackedRows.of(packed), Math.toIntExact(packed.codes().dim(0)),
                    Math.toIntExact(packed.out()), Math.toIntExact(packed.in()));
        };
    }

    /// Float32 matrices.
    record Plain(Matrix matrix) implements ExpertMatrix {
        @Override
        public int experts() {
            return matrix.experts();
        }

        @Override
        public int out() {
            return matrix.out();
        }

        @Override
        public int in() {
            return matrix.in();
        }

        @Override
        public int scratch() {
            return 0;
        }

        @Override
        public void forward(Gemm gemm, int expert, long x, int rows, boolean add, long y, long scratch) {
            gemm.nt(rows, out(), in(), 1f, x, in(), matrix.at(expert, 0, 0), in(), add, y, out());
        }

        @Override
        public void backward(Gemm gemm, int expert, long dy, int rows, long dx, long scratch) {
            gemm.nn(rows, in(), out(), 1f, dy, out(), matrix.at(expert, 0, 0), in(), false, dx, in());
        }
    }

    /// Packed matrices.
    record Packed(PackedRows packed, int experts, int out, int in) implements ExpertMatrix {
        /// Floats that are widened at a time: a few MiB, beside which the pass over a product's result is cheap.
        private static final int WIDENED = 1 << 19;

        private int height() {
            return Math.clamp(WIDENED / in, 1, out);
        }

        @Override
        public int scratch() {
            return height() * in;
        }

        @Override
        public void forward(Gemm gemm, int expert, long x, int rows, boolean add, long y, long scratch) {
            for (int first = 0; first < out; first += height()) {
                int count = widen(expert, first, scratch);
                gemm.nt(rows, count, in, 1f, x, in, scratch, in, add, at(y, first), out);
            }
        }

        @Override
        public void backward(Gemm gemm, int expert, long dy, int rows, long dx, long scratch) {
            for (int first = 0; first < out; first += height()) {
                int count = widen(expert, first, scratch);
                gemm.nn(rows, in, count, 1f, at(dy, first), out, scratch, in, first > 0, dx, in);
            }
        }

        private int widen(int expert, int first, long scratch) {
            int count = Math.min(height(), out - first);
            packed.widen((long) expert * out + first, count, scratch);
            return count;
        }
    }
}
