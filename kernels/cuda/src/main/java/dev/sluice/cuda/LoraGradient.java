package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;

/// Gradients of LoRA's matrices: twin of `lora_gradient.cu`.
final class LoraGradient {
    private static final int FEATURES = TileSizes.of("LORA_GRADIENT_FEATURES");
    private static final int NARROW_RANK = TileSizes.of("LORA_GRADIENT_NARROW_RANK");
    private static final int WIDE_RANK = TileSizes.of("LORA_GRADIENT_WIDE_RANK");
    private static final int THREADS = TileSizes.of("LORA_GRADIENT_THREADS");
    private static final int FLAT_THREADS = TileSizes.of("FLAT_THREADS");
    private static final int ROWS = TileSizes.of("LORA_GRADIENT_ROWS");
    private static final int STAGES = TileSizes.of("LORA_GRADIENT_STAGES");
    private static final int SHARE_ROWS = TileSizes.of("LORA_GRADIENT_SHARE_ROWS");
    private static final int SHARES = TileSizes.of("LORA_GRADIENT_SHARES");
    /// Blocks that fill a large GPU, and the fewest rows worth a block of their own.
    private static final int ENOUGH_BLOCKS = 264;
    private static final int LEAST_ROWS = 128;

    private final Device device;
    private final Scope scratch;
    private Tensor wide;
    private long stride;
    private Tensor map;
    private long mapFrom;
    private Tensor offsets;
    private long rows;
    private Tensor limit;
    private long limitOffset;

    LoraGradient(Device device, Scope scratch) {
        this.device = device;
        this.scratch = scratch;
    }

    /// The wide operand: the layer's input for gradA, its output's gradient for gradB.
    LoraGradient of(Tensor values, long rowStride) {
        wide = values;
        stride = rowStride;
        return this;
    }

    LoraGradient gather(Tensor rowMap, long from) {
        map = rowMap;
        mapFrom = from;
        return this;
    }

    LoraGradient rows(long count) {
        rows = count;
        return this;
    }

    /// Rows sorted by expert; the gradient then has a leading dimension of experts.
    LoraGradient grouped(Tensor expertOffsets) {
        offsets = expertOffsets;
        return this;
    }

    LoraGradient limit(Tensor count, long offset) {
        limit = count;
        limitOffset = offset;
        return this;
    }

    /// `gradA += z^T wide`, gradA [rank, in].
    void addToA(Tensor dz, Tensor gradA) {
        add(dz, gradA, gradA.dim(-1), gradA.dim(-2), true);
    }

    /// `gradB += wide^T z`, gradB [out, rank].
    void addToB(Tensor z, Tensor gradB) {
        add(z, gradB, gradB.dim(-2), gradB.dim(-1), false);
    }

    private void add(Tensor z, Tensor gradient, long features, long rank, boolean transposed) {
        if (gradient.dtype() != DType.FLOAT32 && gradient.dtype() != DType.BFLOAT16) {
            throw new IllegalArgumentException("LoRA gradient: " + gradient + " should be FLOAT32 or BFLOAT16");
        }
        int ranks = rank <= NARROW_RANK ? NARROW_RANK : WIDE_RANK;
        long blocks = Math.ceilDiv(features, FEATURES) * Math.ceilDiv(rank, ranks);
        long splits = offsets == null ? Math.clamp(ENOUGH_BLOCKS / blocks, 1, Math.max(1, Math.ceilDiv(rows, LEAST_ROWS))) : 1;
        long shareRows = shareRows(rows, blocks);
        long shares = offsets == null ? 0 : rows / shareRows;
        try (var own = scratch.child("lora.gradient")) {
            var partials = splits == 1 ? null : own.allocate("partials", DType.FLOAT32, splits, gradient.elements());
            var places = shares < 2 ? null : own.allocate("places", DType.FLOAT32, shares, blocks, FEATURES * ranks);
            device.launch(ranks == NARROW_RANK ? "lora_gradient_narrow" : "lora_gradient_wide")
                    .grid(blocks, offsets == null ? 1 : shares + offsets.elements() - 1, splits).block(THREADS)
                    .detail(sizes(features, rank)).sharedBytes(STAGES * ROWS * 2 * (FEATURES + ranks)).beginStruct()
                    .pointer(wide).pointer(map, mapFrom).pointer(z).pointer(offsets).pointer(gradient).pointer(partials).pointer(places)
                    .int64(device.arrivals()).pointer(limit).int32(Launch.code(gradient.dtype())).int32(limitOffset).int32(rows)
                    .int32(features).int32(stride).int32(rank).flag(transposed).int32(shareRows).int32(shares).endStruct().run();
            if (splits > 1) {
                device.launch("lora_gradient_sum").grid(Math.ceilDiv(gradient.elements(), FLAT_THREADS)).block(FLAT_THREADS)
                        .pointer(partials).pointerAndFormat(gradient).int64(gradient.elements()).int32(splits).run();
            }
        }
    }

    /// The fewest rows of an expert that a block takes where several share it; with twice as many it is shared.
    ///
    /// @param blocks blocks of one share
    static long shareRows(long rows, long blocks) {
        long shares = Math.clamp(Device.ARRIVALS / blocks, 1, SHARES);
        return Math.max(SHARE_ROWS, Math.ceilDiv(Math.ceilDiv(rows, shares), ROWS) * ROWS);
    }

    /// Its sizes, where times are taken.
    private String sizes(long features, long rank) {
        return KernelTimes.WANTED ? (offsets == null ? " rows=" + rows : " rows=grouped") + " features=" + features + " rank=" + rank : "";
    }
}
