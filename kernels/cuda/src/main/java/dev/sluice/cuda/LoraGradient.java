package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;

/// One gradient of a LoRA matrix that [LoraGradients] adds to: `Call` of `lora_gradient.cu`.
final class LoraGradient {
    private final Tensor wide;
    private final long stride;
    private Tensor map;
    private long mapFrom;
    private Tensor offsets;
    private long rows;
    private Tensor limit;
    private long limitOffset;
    private Tensor z;
    private Tensor gradient;
    private long features;
    private long rank;
    private boolean transposed;

    private LoraGradient(Tensor wide, long stride) {
        this.wide = wide;
        this.stride = stride;
    }

    /// The wide operand: the layer's input for gradA, its output's gradient for gradB.
    static LoraGradient of(Tensor wide, long rowStride) {
        return new LoraGradient(wide, rowStride);
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

    /// `gradA += dz^T wide`, gradA [rank, in].
    LoraGradient intoA(Tensor dz, Tensor gradA) {
        return into(dz, gradA, gradA.dim(-1), gradA.dim(-2), true);
    }

    /// `gradB += wide^T z`, gradB [out, rank].
    LoraGradient intoB(Tensor z, Tensor gradB) {
        return into(z, gradB, gradB.dim(-2), gradB.dim(-1), false);
    }

    private LoraGradient into(Tensor narrow, Tensor matrix, long featureCount, long columnsOfZ, boolean asRows) {
        if (matrix.dtype() != DType.FLOAT32 && matrix.dtype() != DType.BFLOAT16) {
            throw new IllegalArgumentException("LoRA gradient: " + matrix + " should be FLOAT32 or BFLOAT16");
        }
        z = narrow;
        gradient = matrix;
        features = featureCount;
        rank = columnsOfZ;
        transposed = asRows;
        return this;
    }

    long rank() {
        return rank;
    }

    long features() {
        return features;
    }

    long columns(LoraGradientKernel kernel) {
        return kernel.columns(features, rank);
    }

    /// One matrix is an expert of all rows.
    long experts() {
        return offsets == null ? 1 : offsets.elements() - 1;
    }

    /// @param columns of all gradients in the launch
    long shareRows(LoraGradientKernel kernel, long columns) {
        return offsets == null ? kernel.denseShareRows(rows, columns) : LoraGradientKernel.expertShareRows(rows, columns);
    }

    /// Most blocks of a column that share their expert with others.
    long shares(LoraGradientKernel kernel, long columns) {
        long shares = rows / shareRows(kernel, columns);
        return shares < 2 ? 0 : shares;
    }

    /// @param firstBlock of this gradient in the grid
    /// @param firstPlace of this gradient's shared blocks
    void write(Launch launch, LoraGradientKernel kernel, long columns, long firstBlock, long firstPlace) {
        launch.pointer(wide).pointer(map, mapFrom).pointer(z).pointer(offsets).pointer(limit).pointer(gradient)
                .int32(Launch.code(gradient.dtype())).int32(limitOffset).int32(rows).int32(features).int32(stride).int32(rank).flag(transposed)
                .int32(experts()).int32(shareRows(kernel, columns)).int32(shares(kernel, columns)).int32(firstBlock).int32(firstPlace);
    }

    /// Rows, where times are taken.
    String rowsOrGrouped() {
        return offsets == null ? Long.toString(rows) : "grouped";
    }
}
