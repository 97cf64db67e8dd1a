package dev.sluice.cuda;

import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.AttentionOps.Shape;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// Twin of `hopper/attention_forward.cu` and `hopper/attention_backward.cu`: heads of exactly 128 columns.
final class HopperAttention {
    /// Keys, or queries, that a block of a backward pass owns.
    static final int OWN = 128;

    private static final int HEAD = 128;
    private static final int SLAB = 64;
    private static final int BYTES = 2;
    private static final int THREADS = TileSizes.of("HOPPER_ATTENTION_THREADS");
    private static final int QUERIES = TileSizes.of("HOPPER_ATTENTION_QUERIES");
    private static final int KEYS = TileSizes.of("HOPPER_ATTENTION_KEYS");
    private static final int SIDE = TileSizes.of("HOPPER_ATTENTION_BACKWARD_SIDE");
    private static final int FORWARD_BYTES = TileSizes.of("HOPPER_ATTENTION_FORWARD_SHARED_BYTES");
    private static final int BACKWARD_BYTES = TileSizes.of("HOPPER_ATTENTION_BACKWARD_SHARED_BYTES");

    private final Device device;
    private final Shape shape;
    private final int tokens;

    HopperAttention(Device device, Shape shape, int tokens) {
        this.device = device;
        this.shape = shape;
        this.tokens = tokens;
    }

    static boolean suits(Device device, Shape shape) {
        return device.hopper() && shape.headDim() == HEAD && shape.valueDim() == HEAD;
    }

    void forward(Tensor q, Tensor k, Tensor v, Tensor firstKey, Tensor out, Tensor lse) {
        device.launch("hopper_attention_forward").grid(Math.ceilDiv(tokens, QUERIES), shape.heads()).block(THREADS).sharedBytes(FORWARD_BYTES)
                .tensorMap(map(q, QUERIES)).tensorMap(map(k, KEYS)).tensorMap(map(v, KEYS))
                .pointer(firstKey).pointerAndFormat(shape.sinks()).pointer(out).pointer(lse)
                .int32(tokens).int32(shape.heads()).int32(shape.kvHeads()).float32(shape.scale()).run();
    }

    void backwardKeys(Tensor dOut, Tensor q, Tensor k, Tensor v, Tensor lse, Tensor delta, Tensor lastQuery, Tensor dk, Tensor dv,
            Tensor partials, int shares) {
        device.launch("hopper_attention_backward_keys").grid(Math.ceilDiv(tokens, OWN), shape.kvHeads(), shares).block(THREADS)
                .sharedBytes(BACKWARD_BYTES).tensorMap(map(k, OWN)).tensorMap(map(v, OWN)).tensorMap(map(q, SIDE)).tensorMap(map(dOut, SIDE))
                .pointer(lse).pointer(delta).pointer(lastQuery).pointer(dk).pointer(dv).pointer(partials)
                .int32(tokens).int32(shape.heads()).int32(shape.kvHeads()).float32(shape.scale()).run();
    }

    void backwardQueries(Tensor dOut, Tensor q, Tensor k, Tensor v, Tensor lse, Tensor delta, Tensor firstKey, Tensor dq) {
        device.launch("hopper_attention_backward_queries").grid(Math.ceilDiv(tokens, OWN), shape.heads()).block(THREADS)
                .sharedBytes(BACKWARD_BYTES).tensorMap(map(q, OWN)).tensorMap(map(dOut, OWN)).tensorMap(map(k, SIDE)).tensorMap(map(v, SIDE))
                .pointer(lse).pointer(delta).pointer(firstKey).pointer(dq)
                .int32(tokens).int32(shape.heads()).int32(shape.kvHeads()).float32(shape.scale()).run();
    }

    /// [tokens, heads, 128], copied as one head's 64 columns of some tokens.
    private MemorySegment map(Tensor tensor, int rows) {
        long heads = tensor.dim(1);
        return device.tensorMaps().of(tensor.address(), List.of((long) HEAD, heads, tensor.dim(0)),
                List.of((long) HEAD * BYTES, heads * HEAD * BYTES), List.of(SLAB, 1, rows));
    }
}
