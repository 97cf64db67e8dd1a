package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Segments;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.AttentionOps;
import java.util.List;

/// Twin of `attention_forward.cu` and `attention_backward.cu`, which take every head that [HopperAttention] does not.
final class CudaAttention implements AttentionOps {
    private static final int FLAT_THREADS = TileSizes.of("FLAT_THREADS");
    private static final int ROW_THREADS = TileSizes.of("ROW_THREADS");
    private static final long BLOCKS_PER_MULTIPROCESSOR = 8;

    private final Device device;

    CudaAttention(Device device) {
        this.device = device;
    }

    @Override
    public void forward(Tensor q, Tensor k, Tensor v, Segments segments, Shape shape, Tensor out, Tensor lse, Scope scratch) {
        String operation = "attention forward";
        int tokens = check(operation, q, k, v, segments, shape);
        out.require(operation, DType.BFLOAT16, tokens, shape.heads(), shape.valueDim());
        lse.require(operation, DType.FLOAT32, tokens, shape.heads());
        var width = AttentionWidth.of(operation, shape, device.turing());
        try (var own = scratch.child("attention.forward")) {
            var bounds = bounds(segments, shape, own);
            if (HopperAttention.suits(device, shape)) {
                new HopperAttention(device, shape, tokens).forward(q, k, v, bounds.firstKey(), out, lse);
                return;
            }
            device.launch("attention_forward_" + width.key()).grid(Math.ceilDiv(tokens, width.queries()), shape.heads())
                    .block(width.forwardThreads()).sharedBytes(width.forwardBytes())
                    .pointer(q).pointer(k).pointer(v).pointer(bounds.firstKey()).pointerAndFormat(shape.sinks()).pointer(out).pointer(lse)
                    .int32(tokens).int32(shape.heads()).int32(shape.kvHeads()).int32(shape.headDim()).int32(shape.valueDim())
                    .float32(shape.scale()).run();
        }
    }

    @Override
    public void backward(Tensor dOut, Tensor q, Tensor k, Tensor v, Tensor out, Tensor lse, Segments segments, Shape shape, Tensor dq,
            Tensor dk, Tensor dv, Scope scratch) {
        String operation = "attention backward";
        int tokens = check(operation, q, k, v, segments, shape);
        out.require(operation, DType.BFLOAT16, tokens, shape.heads(), shape.valueDim());
        dOut.require(operation, DType.BFLOAT16, out.shape());
        lse.require(operation, DType.FLOAT32, tokens, shape.heads());
        dq.require(operation, DType.BFLOAT16, q.shape());
        dk.require(operation, DType.BFLOAT16, k.shape());
        dv.require(operation, DType.BFLOAT16, v.shape());
        var width = AttentionWidth.of(operation, shape, device.turing());
        try (var own = scratch.child("attention.backward")) {
            var bounds = bounds(segments, shape, own);
            if (HopperAttention.suits(device, shape)) {
                new HopperAttention(device, shape, tokens).backward(dOut, q, k, v, out, lse, bounds, dq, dk, dv, own);
                return;
            }
            var delta = own.allocate("delta", DType.FLOAT32, tokens, shape.heads());
            device.launch("attention_delta").grid(Math.ceilDiv(delta.elements(), ROW_THREADS / 32)).block(ROW_THREADS)
                    .pointer(dOut).pointer(out).pointer(delta).int64(delta.elements()).int32(shape.valueDim()).run();
            int tiles = Math.ceilDiv(tokens, width.own());
            int shares = shares(tiles, shape);
            var partials = shares == 1 ? null : own.allocate("partials", DType.FLOAT32, shares, dk.elements() + dv.elements());
            for (String pass : width.apart() ? List.of("keys", "values") : List.of("keys")) {
                sizes(pass(pass, width, tiles, shape.kvHeads(), shares)
                        .pointer(dOut).pointer(q).pointer(k).pointer(v).pointer(lse).pointer(delta).pointer(bounds.firstKey())
                        .pointer(bounds.lastQuery()).pointer(dk).pointer(dv).pointer(partials), tokens, shape);
            }
            sizes(pass("queries", width, tiles, shape.heads(), 1)
                    .pointer(dOut).pointer(q).pointer(k).pointer(v).pointer(lse).pointer(delta).pointer(bounds.firstKey())
                    .pointer(dq), tokens, shape);
            if (partials != null) {
                sum(partials, 0, dk, shares);
                sum(partials, shares * dk.elements(), dv, shares);
            }
        }
    }

    /// How many blocks share a key-value head's query heads: enough of them to even out that early keys are seen by most queries.
    private int shares(long tiles, Shape shape) {
        int group = shape.heads() / shape.kvHeads();
        long enough = BLOCKS_PER_MULTIPROCESSOR * device.multiprocessors();
        int shares = 1;
        while (group % (2 * shares) == 0 && tiles * shape.kvHeads() * shares < enough) {
            shares *= 2;
        }
        return shares;
    }

    private void sum(Tensor partials, long first, Tensor out, int shares) {
        device.launch("attention_sum").grid(Math.ceilDiv(out.elements(), FLAT_THREADS)).block(FLAT_THREADS)
                .pointer(partials, first).pointer(out).int64(out.elements()).int32(shares).run();
    }

    private Launch pass(String over, AttentionWidth width, int tiles, int heads, int shares) {
        return device.launch("attention_backward_" + over + "_" + width.key()).grid(tiles, heads, shares).block(width.backwardThreads())
                .sharedBytes(width.backwardBytes());
    }

    private static void sizes(Launch launch, int tokens, Shape shape) {
        launch.int32(tokens).int32(shape.heads()).int32(shape.kvHeads()).int32(shape.headDim()).int32(shape.valueDim())
                .float32(shape.scale()).run();
    }

    private HopperAttention.Bounds bounds(Segments segments, Shape shape, Scope own) {
        int tokens = segments.tokens();
        var bounds = new HopperAttention.Bounds(own.allocate("first key", DType.INT32, tokens),
                own.allocate("last query", DType.INT32, tokens));
        device.launch("attention_bounds").grid(Math.ceilDiv(tokens, FLAT_THREADS)).block(FLAT_THREADS)
                .pointer(segments.device()).int32(segments.count()).int32(tokens).int32(shape.window())
                .pointer(bounds.firstKey()).pointer(bounds.lastQuery()).run();
        return bounds;
    }

    private static int check(String operation, Tensor q, Tensor k, Tensor v, Segments segments, Shape shape) {
        int tokens = segments.tokens();
        segments.device().require(operation, DType.INT32, segments.count() + 1L);
        q.require(operation, DType.BFLOAT16, tokens, shape.heads(), shape.headDim());
        k.require(operation, DType.BFLOAT16, tokens, shape.kvHeads(), shape.headDim());
        v.require(operation, DType.BFLOAT16, tokens, shape.kvHeads(), shape.valueDim());
        if (shape.sinks() != null) {
            Checks.vector(operation, shape.sinks(), shape.heads());
        }
        return tokens;
    }
}
