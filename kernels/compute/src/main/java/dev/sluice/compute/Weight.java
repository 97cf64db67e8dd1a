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

    /// Packed numbers.
    ///
    /// @param codes UINT8 [out, in] or [experts, out, in], the last dimension in bytes: half as many where two numbers share one
    /// @param scales [out, ceil(in / block)] or [experts, ...] of the packing's scale type
    /// @param groups of NF4, else null: FLOAT32 [n, 2], a factor and an offset for every n-th part of all scales, which are a power
    ///     of two of at most 256; the scale that code c stands for is `Nf4.scales()[c] * factor + offset`
    record Packed(Packing packing, Tensor codes, Tensor scales, Tensor groups) implements Weight {
        public Packed {
            long bytes = codes.dim(-1);
            boolean fits = codes.dtype() == DType.UINT8 && scales.dtype() == packing.scaleType() && codes.rank() == scales.rank()
                    && packing.scales(bytes * packing.numbersPerByte()) == scales.dim(-1)
                    && codes.elements() / bytes == scales.elements() / scales.dim(-1);
            boolean grouped = packing == Packing.NF4 ? fits && bytes * 2 % packing.block() == 0 && groupsFit(scales, groups) : groups == null;
            if (!fits || !grouped) {
                throw new IllegalArgumentException("weight: " + codes + " with " + scales + " and " + groups + " is no matrix in " + packing);
            }
        }

        public Packed(Packing packing, Tensor codes, Tensor scales) {
            this(packing, codes, scales, null);
        }

        private static boolean groupsFit(Tensor scales, Tensor groups) {
            if (groups == null || groups.dtype() != DType.FLOAT32 || groups.rank() != 2 || groups.dim(1) != 2 || groups.dim(0) == 0) {
                return false;
            }
            long size = scales.elements() / groups.dim(0);
            return size * groups.dim(0) == scales.elements() && Long.bitCount(size) == 1 && size <= Nf4.GROUP;
        }

        /// Scales that share a factor and an offset, a power of two; counted through all rows of all matrices.
        public int groupSize() {
            return Math.toIntExact(scales.elements() / groups.dim(0));
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
