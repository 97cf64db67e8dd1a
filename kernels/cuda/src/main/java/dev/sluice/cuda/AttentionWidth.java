package dev.sluice.cuda;

import dev.sluice.compute.op.AttentionOps.Shape;
import java.util.List;

/// Widths of heads for which `attention_forward.cu` and `attention_backward.cu` are compiled; narrower heads are padded with zeros.
///
/// @param key columns of queries and keys
/// @param value columns of values
/// @param queries of a block of the forward pass
/// @param keys that its steps take
/// @param rows that the steps of the backward passes take: queries or keys
/// @param apart dv has a pass of its own
record AttentionWidth(int key, int value, int queries, int keys, int rows, boolean apart) {
    private static final int OWN_ROWS = TileSizes.of("ATTENTION_KEYS");
    private static final int NARROW_QUERIES = TileSizes.of("ATTENTION_FORWARD_QUERIES");
    private static final int WIDE_QUERIES = TileSizes.of("ATTENTION_WIDE_QUERIES");
    private static final int WIDE_KEYS = TileSizes.of("ATTENTION_WIDE_KEYS");
    private static final List<AttentionWidth> COMPILED = List.of(
            new AttentionWidth(64, 64, NARROW_QUERIES, OWN_ROWS, OWN_ROWS, false),
            new AttentionWidth(128, 128, NARROW_QUERIES, OWN_ROWS, OWN_ROWS, false),
            new AttentionWidth(192, 128, WIDE_QUERIES, WIDE_KEYS, TileSizes.of("ATTENTION_192_BACKWARD_ROWS"), false),
            new AttentionWidth(256, 256, WIDE_QUERIES, WIDE_KEYS, TileSizes.of("ATTENTION_256_BACKWARD_ROWS"), true));

    /// The narrowest that holds both widths of a head.
    static AttentionWidth of(String operation, Shape shape) {
        return COMPILED.stream().filter(width -> shape.headDim() <= width.key && shape.valueDim() <= width.value).findFirst()
                .orElseThrow(() -> new IllegalArgumentException(operation + ": head dimensions " + shape.headDim() + " and " + shape.valueDim()
                        + " are more than the " + COMPILED.getLast().key + " that the GPU kernels hold; use the cpu backend for this model"));
    }

    int forwardThreads() {
        return 2 * queries;
    }

    /// Queries, and keys and values twice.
    int forwardBytes() {
        return (queries * key + 2 * keys * (key + value)) * Short.BYTES;
    }

    /// The block's own rows of two tensors and two steps of two others, and three numbers for each row of the steps.
    int backwardBytes() {
        return (OWN_ROWS + 2 * rows) * (key + value) * Short.BYTES + 2 * 3 * rows * Float.BYTES;
    }
}
