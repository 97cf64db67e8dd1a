package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;

import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Weight;

/// The frozen matrix of a linear layer, as its products read it: all rows at once where it is plain; where it is packed,
/// as many as are worth handing out to all workers, widened into scratch memory.
///
/// @param plain null where it is packed
/// @param packed null where it is plain
record LinearWeight(Matrix plain, PackedRows packed, int out, int in) {
    /// Floats that are widened at a time: 16 MiB.
    private static final int WIDENED = 1 << 22;
    private static final int ROWS = 8;

    static LinearWeight of(String operation, Weight weight) {
        int out = Math.toIntExact(weight.out());
        int in = Math.toIntExact(weight.in());
        return switch (weight) {
            case Weight.Dense _ -> new LinearWeight(Matrix.of(operation, weight), null, out, in);
            case Weight.Packed numbers -> new LinearWeight(null, PackedRows.of(numbers), out, in);
        };
    }

    /// Rows that are widened at a time, 0 where nothing is.
    int widenedRows() {
        return packed == null ? 0 : Math.clamp(WIDENED / in, 1, out);
    }

    /// A product with some rows of the matrix.
    interface Product {
        /// @param rows the matrix's rows from `first` on
        void run(Matrix rows, int first);
    }

    /// Runs a product over all rows in ascending order.
    void products(Workers workers, Scope scratch, Product product) {
        if (packed == null) {
            product.run(plain, 0);
            return;
        }
        int height = widenedRows();
        try (var own = scratch.child("widened")) {
            long widened = own.allocate("weight", DType.FLOAT32, height, in).address();
            for (int first = 0; first < out; first += height) {
                int begin = first;
                int count = Math.min(height, out - first);
                workers.rows(count, ROWS, (from, to, _) -> packed.widen(begin + from, to - from, at(widened, (long) from * in)));
                product.run(new Matrix(widened, 1, count, in), first);
            }
        }
    }
}
