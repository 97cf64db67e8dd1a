package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.AttentionOps.Shape;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// Twin of `hopper/flash_forward.cu` and `hopper/flash_backward.cu`: heads of 64 or 128 columns forward, of 128 backward.
final class HopperAttention {
    private static final int WIDE = 128;
    private static final int NARROW = 64;
    private static final int SLAB = 64;
    private static final int STORED_ROWS = 64;
    private static final int THREADS = TileSizes.of("HOPPER_THREADS");
    private static final int GRADIENT_THREADS = TileSizes.of("FLASH_GRADIENT_THREADS");
    private static final int FLAT_THREADS = TileSizes.of("FLAT_THREADS");
    private static final int FORWARD_QUERIES = TileSizes.of("FLASH_FORWARD_QUERIES");
    private static final int FORWARD_KEYS = TileSizes.of("FLASH_FORWARD_KEYS");
    private static final int QUERIES = TileSizes.of("FLASH_BACKWARD_QUERIES");
    private static final int KEYS = TileSizes.of("FLASH_BACKWARD_KEYS");
    private static final int BACKWARD_BYTES = TileSizes.of("FLASH_BACKWARD_128_SHARED_BYTES");
    /// More blocks even out that early keys are seen by most queries; beyond this they gain nothing.
    private static final int MOST_SPLITS = 8;
    /// What dk and dv may take before their last sum. It depends on sizes alone, so that every card adds in the same order.
    private static final long MOST_PARTIAL_BYTES = 512L << 20;

    private final Device device;
    private final Shape shape;
    private final int tokens;

    /// First keys of queries and last queries of keys: INT32 [tokens] each.
    record Bounds(Tensor firstKey, Tensor lastQuery) {}

    HopperAttention(Device device, Shape shape, int tokens) {
        this.device = device;
        this.shape = shape;
        this.tokens = tokens;
    }

    static boolean suitsForward(Device device, Shape shape) {
        return device.hopper() && (heads(shape, WIDE) || heads(shape, NARROW))
                && (shape.sinks() == null || shape.sinks().dtype() == DType.FLOAT32);
    }

    static boolean suitsBackward(Device device, Shape shape) {
        return device.hopper() && heads(shape, WIDE);
    }

    private static boolean heads(Shape shape, int width) {
        return shape.headDim() == width && shape.valueDim() == width;
    }

    void forward(Tensor q, Tensor k, Tensor v, Tensor firstKey, Tensor out, Tensor lse) {
        int head = shape.headDim();
        long tiles = (long) Math.ceilDiv(tokens, FORWARD_QUERIES) * shape.heads();
        device.launch("flash_forward_" + head).grid(Math.min(tiles, device.multiprocessors())).block(THREADS)
                .sharedBytes(TileSizes.of("FLASH_FORWARD_" + head + "_SHARED_BYTES"))
                .tensorMap(map(q, FORWARD_QUERIES)).tensorMap(map(k, FORWARD_KEYS)).tensorMap(map(v, FORWARD_KEYS))
                .tensorMap(map(out, STORED_ROWS)).beginStruct()
                .pointer(firstKey).pointer(shape.sinks()).pointer(lse)
                .int32(tokens).int32(shape.heads()).int32(shape.kvHeads()).float32(shape.scale()).endStruct().run();
    }

    void backward(Tensor dOut, Tensor q, Tensor k, Tensor v, Tensor out, Tensor lse, Bounds bounds, Tensor dq, Tensor dk, Tensor dv,
            Scope scratch) {
        int queryBlocks = Math.ceilDiv(tokens, QUERIES);
        int keyBlocks = Math.ceilDiv(tokens, KEYS);
        int splits = splits(keyBlocks);
        var lse2 = scratch.allocate("lse in base 2", DType.FLOAT32, shape.heads(), (long) queryBlocks * QUERIES);
        var delta = scratch.allocate("delta", DType.FLOAT32, lse2.shape());
        var turns = scratch.allocate("turns", DType.INT32, (long) shape.heads() * queryBlocks + 1);
        var dqSums = scratch.allocate("dq sums", DType.FLOAT32, shape.heads(), queryBlocks, (long) QUERIES * WIDE);
        var dkParts = scratch.allocate("dk parts", DType.FLOAT32, splits, shape.kvHeads(), keyBlocks, (long) KEYS * WIDE);
        var dvParts = scratch.allocate("dv parts", DType.FLOAT32, dkParts.shape());
        device.fill(turns.address(), (byte) 0, turns.bytes());
        device.launch("flash_prepare").grid(Math.ceilDiv(lse2.elements(), FLAT_THREADS / 32)).block(FLAT_THREADS)
                .pointer(dOut).pointer(out).pointer(lse).pointer(lse2).pointer(delta)
                .int32(tokens).int32((long) queryBlocks * QUERIES).int32(shape.heads()).int32(WIDE).run();
        device.launch("flash_backward_" + WIDE).grid((long) keyBlocks * shape.kvHeads() * splits).block(THREADS).sharedBytes(BACKWARD_BYTES)
                .tensorMap(map(q, QUERIES)).tensorMap(map(k, KEYS)).tensorMap(map(v, KEYS)).tensorMap(map(dOut, QUERIES)).beginStruct()
                .pointer(bounds.firstKey).pointer(bounds.lastQuery).pointer(lse2).pointer(delta).pointer(turns)
                .pointer(dqSums).pointer(dkParts).pointer(dvParts)
                .int32(tokens).int32(shape.heads()).int32(shape.kvHeads()).int32(splits).float32(shape.scale()).endStruct().run();
        // The two multiplying warpgroups own halves of the columns of dq, and halves of the keys of dk and dv.
        gradient(dqSums, dq, 1, 2, queryBlocks, shape.heads(), shape.scale());
        gradient(dkParts, dk, splits, 1, 2 * keyBlocks, shape.kvHeads(), shape.scale());
        gradient(dvParts, dv, splits, 1, 2 * keyBlocks, shape.kvHeads(), 1);
    }

    /// Among how many blocks a key-value head's query heads are divided.
    private int splits(int keyBlocks) {
        int group = shape.heads() / shape.kvHeads();
        long bytes = 2L * shape.kvHeads() * keyBlocks * KEYS * WIDE * Float.BYTES;
        int splits = 1;
        while (splits < MOST_SPLITS && group % (2 * splits) == 0 && 2 * splits * bytes <= MOST_PARTIAL_BYTES) {
            splits *= 2;
        }
        return splits;
    }

    private void gradient(Tensor parts, Tensor out, int splits, int halves, int blocksOf64, int heads, double scale) {
        device.launch("flash_gradient").grid((long) blocksOf64 * halves, heads).block(GRADIENT_THREADS)
                .pointer(parts).pointer(out).int32(splits).int32(halves).int32(WIDE / halves)
                .int32(tokens).int32(heads).float32(scale).run();
    }

    /// [tokens, heads, head], copied as 64 columns of one head of some tokens.
    private MemorySegment map(Tensor tensor, int rows) {
        long heads = tensor.dim(1);
        long head = tensor.dim(2);
        long headBytes = tensor.dtype().bytes(head);
        return device.tensorMaps().of(tensor.address(), List.of(head, heads, tensor.dim(0)), List.of(headBytes, heads * headBytes),
                List.of(SLAB, 1, rows));
    }
}
