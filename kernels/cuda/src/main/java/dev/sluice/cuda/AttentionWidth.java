package dev.sluice.cuda;

import dev.sluice.compute.op.AttentionOps.Shape;
import java.util.List;

/// Widths of heads for which `attention_forward.cu` and `attention_backward.cu` are compiled; narrower heads are padded with zeros.
///
/// @param key columns of queries and keys
/// @param value columns of values
/// @param queries of a block of the forward pass
/// @param keys that its steps take
/// @param own keys or queries of a block of the backward passes
/// @param rows that their steps take: queries or keys
/// @param buffers tiles of a step that a block holds: one where copies do not run in the background
/// @param apart dv has a pass of its own
record AttentionWidth(int key, int value, int queries, int keys, int own, int rows, int buffers, boolean apart) {
    private static final int NARROW_KEYS = TileSizes.of("ATTENTION_KEYS");
    private static final int NARROW_QUERIES = TileSizes.of("ATTENTION_FORWARD_QUERIES");
    private static final int WIDE_QUERIES = TileSizes.of("ATTENTION_WIDE_QUERIES");
    private static final int WIDE_KEYS = TileSizes.of("ATTENTION_WIDE_KEYS");
    private static final int OWN = TileSizes.of("ATTENTION_BACKWARD_OWN");
    private static final int ROWS = TileSizes.of("ATTENTION_BACKWARD_ROWS");
    private static final int ROWS_192 = TileSizes.of("ATTENTION_192_BACKWARD_ROWS");
    private static final int ROWS_256 = TileSizes.of("ATTENTION_256_BACKWARD_ROWS");
    private static final List<AttentionWidth> COMPILED = List.of(
            new AttentionWidth(64, 64, NARROW_QUERIES, NARROW_KEYS, OWN, ROWS, 2, false),
            new AttentionWidth(128, 128, NARROW_QUERIES, NARROW_KEYS, OWN, ROWS, 2, false),
            new AttentionWidth(192, 128, WIDE_QUERIES, WIDE_KEYS, OWN, ROWS_192, 2, false),
            new AttentionWidth(256, 256, WIDE_QUERIES, WIDE_KEYS, OWN, ROWS_256, 2, true));
    private static final List<AttentionWidth> COMPILED_FOR_TURING = List.of(
            new AttentionWidth(64, 64, NARROW_QUERIES, NARROW_KEYS, OWN, ROWS, 1, false),
            new AttentionWidth(128, 128, NARROW_QUERIES, NARROW_KEYS, OWN, TileSizes.of("ATTENTION_TURING_128_BACKWARD_ROWS"), 1, false),
            new AttentionWidth(192, 128, WIDE_QUERIES, WIDE_KEYS, OWN, ROWS_192, 1, false),
            new AttentionWidth(256, 256, WIDE_QUERIES, WIDE_KEYS, TileSizes.of("ATTENTION_TURING_256_BACKWARD_OWN"), ROWS_256, 1, true));

    private static List<AttentionWidth> compiled(boolean turing) {
        return turing ? COMPILED_FOR_TURING : COMPILED;
    }

    /// The most shared memory that a block of any attention kernel takes, which is more than any other portable kernel's.
    static int mostBytes(boolean turing) {
        return compiled(turing).stream().mapToInt(width -> Math.max(width.forwardBytes(), width.backwardBytes())).max().orElseThrow();
    }

    /// The narrowest that holds both widths of a head.
    ///
    /// @param turing whether the kernels are those for cards before compute capability 8.0
    static AttentionWidth of(String operation, Shape shape, boolean turing) {
        return compiled(turing).stream().filter(width -> shape.headDim() <= width.key && shape.valueDim() <= width.value).findFirst()
                .orElseThrow(() -> new IllegalArgumentException(operation + ": head dimensions " + shape.headDim() + " and " + shape.valueDim()
                        + " are more than the " + compiled(turing).getLast().key + " that the GPU kernels hold; use the cpu backend for this model"));
    }

    int forwardThreads() {
        return 2 * queries;
    }

    int backwardThreads() {
        return 2 * own;
    }

    /// Queries, and the buffers of keys and values.
    int forwardBytes() {
        return (queries * key + buffers * keys * (key + value)) * Short.BYTES;
    }

    /// The block's own rows of two tensors and the buffers of two others, with three numbers for each row of these.
    int backwardBytes() {
        return (own + buffers * rows) * (key + value) * Short.BYTES + buffers * 3 * rows * Float.BYTES;
    }
}
