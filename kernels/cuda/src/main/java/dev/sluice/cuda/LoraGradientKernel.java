package dev.sluice.cuda;

/// The kernels of `lora_gradient.cu`, and how many blocks share the rows of a matrix.
///
/// Blocks that share rows leave tiles of float32 sums, which the last of them adds alone, at 64 bytes a cycle. A share of a dense matrix is so
/// long that the blocks of a launch fill a large GPU once, and so few shares have a column that the last block needs no longer than a walk.
enum LoraGradientKernel {
    NARROW("lora_gradient_narrow", TileSizes.of("LORA_GRADIENT_NARROW_RANK"), 3, 16),
    WIDE("lora_gradient_wide", TileSizes.of("LORA_GRADIENT_WIDE_RANK"), 1, 8);

    private static final int FEATURES = TileSizes.of("LORA_GRADIENT_FEATURES");
    private static final int ROWS = TileSizes.of("LORA_GRADIENT_ROWS");
    private static final int EXPERTS_SHARE_ROWS = TileSizes.of("LORA_GRADIENT_SHARE_ROWS");
    private static final int EXPERTS_SHARES = TileSizes.of("LORA_GRADIENT_SHARES");
    private static final int DENSE_SHARE_ROWS = 128;
    /// Of a large GPU. A constant, so that bits do not depend on the card.
    private static final int MULTIPROCESSORS = 132;

    final String kernel;
    /// Columns of z of a block.
    final int ranks;
    private final int blocksAtOnce;
    private final int denseShares;

    LoraGradientKernel(String kernel, int ranks, int blocksOfMultiprocessor, int denseShares) {
        this.kernel = kernel;
        this.ranks = ranks;
        this.blocksAtOnce = MULTIPROCESSORS * blocksOfMultiprocessor;
        this.denseShares = denseShares;
    }

    static LoraGradientKernel of(long rank) {
        return rank <= NARROW.ranks ? NARROW : WIDE;
    }

    /// Blocks of one share.
    long columns(long features, long rank) {
        return Math.ceilDiv(features, FEATURES) * Math.ceilDiv(rank, ranks);
    }

    /// Floats of the sums that a block leaves.
    long tile() {
        return (long) FEATURES * ranks;
    }

    /// The fewest rows of a dense matrix that a block takes where several share it; with twice as many it is shared.
    ///
    /// @param columns of all matrices in the launch
    long denseShareRows(long rows, long columns) {
        return Math.max(DENSE_SHARE_ROWS, rows / Math.clamp(blocksAtOnce / columns, 1, denseShares));
    }

    /// The same of an expert.
    ///
    /// @param rows of all experts
    static long expertShareRows(long rows, long columns) {
        long shares = Math.clamp(Device.ARRIVALS / columns, 1, EXPERTS_SHARES);
        return Math.max(EXPERTS_SHARE_ROWS, Math.ceilDiv(Math.ceilDiv(rows, shares), ROWS) * ROWS);
    }
}
