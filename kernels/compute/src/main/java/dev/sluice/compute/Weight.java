package dev.sluice.compute;

/// A frozen base matrix [out, in], or a stack of them [experts, out, in], in the form it is kept in memory.
/// No backend ever computes a gradient for one.
public sealed interface Weight {
    /// Rows of one matrix: the output width.
    long out();

    /// Columns of one matrix: the input width.
    long in();

    /// Plain numbers, row-major.
    record Dense(Tensor values) implements Weight {
        @Override
        public long out() {
            return values.dim(-2);
        }

        @Override
        public long in() {
            return values.dim(-1);
        }
    }

    /// Numbers as their checkpoint packed them.
    ///
    /// @param codes UINT8 [out, in] or [experts, out, in], the last dimension in bytes: half as many for MXFP4
    /// @param scales [out, ceil(in / block)] or [experts, ...] of the packing's scale type
    record Packed(Packing packing, Tensor codes, Tensor scales) implements Weight {
        public Packed {
            long bytes = codes.dim(-1);
            boolean fits = codes.dtype() == DType.UINT8 && scales.dtype() == packing.scaleType() && codes.rank() == scales.rank()
                    && packing.scales(bytes * packing.numbersPerByte()) == scales.dim(-1)
                    && codes.elements() / bytes == scales.elements() / scales.dim(-1);
            if (!fits) {
                throw new IllegalArgumentException("weight: " + codes + " with " + scales + " is no matrix in " + packing);
            }
        }

        @Override
        public long out() {
            return codes.dim(-2);
        }

        @Override
        public long in() {
            return codes.dim(-1) * packing.numbersPerByte();
        }
    }
}
