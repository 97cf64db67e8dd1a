package dev.sluice.model.checkpoint;

import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import java.util.List;

/// Where a [WeightTree] gets its tensors: one source checks, one counts, one loads.
interface WeightSource {
    /// Whether the checkpoint has a tensor of that name, packed or not.
    boolean has(String name);

    /// Whether the checkpoint has a tensor of that name and very shape.
    boolean has(String name, long... shape);

    /// @return the tensor, or null from a source that only looks
    Tensor load(Wanted wanted);

    /// A frozen matrix or a stack of them, in the form that it is to be kept in.
    default Weight weight(Wanted wanted) {
        return new Weight.Dense(load(wanted));
    }

    /// The matrix that scores the vocabulary. It is never packed, for its errors would be every token's.
    default Weight head(Wanted wanted) {
        return new Weight.Dense(load(wanted));
    }

    /// A tensor as a decoder needs it.
    ///
    /// @param parts stored tensors that fill `shape` one behind the other
    /// @param exact kept in FLOAT32 whatever the backend multiplies in
    /// @param offset added to every number
    /// @param factor multiplied with the sum
    record Wanted(String name, long[] shape, List<Part> parts, boolean exact, float offset, float factor) {
        Wanted(String name, long[] shape, List<Part> parts) {
            this(name, shape, parts, false, 0, 1);
        }

        /// Size of the last dimension.
        int columns() {
            return Math.toIntExact(shape[shape.length - 1]);
        }

        /// The stored numbers are the wanted ones.
        boolean unchanged() {
            return offset == 0 && factor == 1;
        }

        void apply(float[] values) {
            for (int i = 0; i < values.length && !unchanged(); i++) {
                values[i] = (values[i] + offset) * factor;
            }
        }

        DType type(DType backend) {
            return exact ? DType.FLOAT32 : backend;
        }
    }

    /// A tensor as the checkpoint should hold it.
    ///
    /// @param shape as the decoder needs it
    record Part(String name, long[] shape, Arrangement arrangement) {
        Part(String name, long... shape) {
            this(name, shape, Arrangement.PLAIN);
        }

        /// The shape in the checkpoint.
        long[] storedShape() {
            long[] stored = shape.clone();
            if (arrangement.transposed()) {
                stored[1] = shape[2];
                stored[2] = shape[1];
            }
            return stored;
        }
    }

    /// How the checkpoint keeps a stack [experts, rows, columns], or the bias [experts, columns] of one.
    enum Arrangement {
        PLAIN,
        /// [experts, columns, rows].
        TRANSPOSED,
        /// [experts, columns, rows], where even rows are the decoder's first half and odd rows its second.
        TRANSPOSED_ALTERNATING,
        /// Of a bias: even columns are the decoder's first half, odd columns its second.
        ALTERNATING_COLUMNS;

        boolean transposed() {
            return this == TRANSPOSED || this == TRANSPOSED_ALTERNATING;
        }
    }
}
