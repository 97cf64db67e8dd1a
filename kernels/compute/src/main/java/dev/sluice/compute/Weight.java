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
}
