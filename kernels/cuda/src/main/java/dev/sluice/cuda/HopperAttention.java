package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.AttentionOps.Shape;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// Twin of `hopper/flash_forward.cu`, `flash_backward.cu` and `flash_backward_wide.cu`: heads of 64, 128 and 256 columns, and of 192 columns with
/// values of 128.
final class HopperAttention {
    /// Columns of queries and keys, and columns of values.
    private static final Map<Integer, Integer> WIDTHS = Map.of(64, 64, 128, 128, 192, 128, 256, 256);
    /// Beyond it the multiplying warpgroups own slabs of columns of every result, and each adds its own to dq.
    private static final int WIDEST_WHOLE = 128;
    private static final int SLAB = 64;
    private static final int STORED_ROWS = 64;
    private static final int THREADS = TileSizes.of("HOPPER_THREADS");
    private static final int GRADIENT_THREADS = TileSizes.of("FLASH_GRADIENT_THREADS");
    /// Columns of a head that a block of the last pass takes.
    private static final int GRADIENT_COLUMNS = 32;
    private static final int FLAT_THREADS = TileSizes.of("FLAT_THREADS");
    private static final int PREPARE_TOKENS = TileSizes.of("FLASH_PREPARE_TOKENS");
    private static final int PREPARE_HEADS = TileSizes.of("FLASH_PREPARE_HEADS");
    private static final int FORWARD_QUERIES = TileSizes.of("FLASH_FORWARD_QUERIES");
    /// More blocks even out that early keys are seen by most queries; beyond this they gain nothing.
    private static final int MOST_SPLITS = 8;
    /// What dk and dv may take before their last sum. It depends on sizes alone, so that every card adds in the same order.
    private static final long MOST_PARTIAL_BYTES = 512L << 20;
    /// Blocks that see a window of queries are alike, so that this many keep any card busy.
    private static final long ENOUGH_BLOCKS_OF_A_WINDOW = 256;

    private final Device device;
    private final Shape shape;
    private final int tokens;

    /// First keys of queries and last queries of keys: INT32 [tokens] each.
    record Bounds(Tensor firstKey, Tensor lastQuery) {}

    /// Partial gradients of one tensor, and how they are added.
    ///
    /// @param blocks of 64 rows
    private record Sum(Tensor parts, Tensor out, int splits, int blocks, int heads, double scale) {
        long grid() {
            return heads * blocks * (out.dim(2) / GRADIENT_COLUMNS);
        }

        void put(Launch launch) {
            launch.pointer(parts).pointer(out).int32(splits).int32(blocks).int32(heads).int32(out.dim(2)).float32(scale);
        }
    }

    HopperAttention(Device device, Shape shape, int tokens) {
        this.device = device;
        this.shape = shape;
        this.tokens = tokens;
    }

    static boolean suits(Device device, Shape shape) {
        return device.hopper() && shape.scale() > 0 && Objects.equals(WIDTHS.get(shape.headDim()), shape.valueDim());
    }

    void forward(Tensor q, Tensor k, Tensor v, Tensor firstKey, Tensor out, Tensor lse) {
        String kernel = "FLASH_FORWARD_" + shape.headDim();
        int keys = TileSizes.of(kernel + "_KEYS");
        long tiles = (long) Math.ceilDiv(tokens, FORWARD_QUERIES) * shape.heads();
        device.launch("flash_forward_" + shape.headDim()).grid(Math.min(tiles, device.multiprocessors())).block(THREADS)
                .sharedBytes(TileSizes.of(kernel + "_SHARED_BYTES"))
                .tensorMap(map(q, FORWARD_QUERIES)).tensorMap(map(k, keys)).tensorMap(map(v, keys))
                .tensorMap(map(out, STORED_ROWS)).beginStruct()
                .pointer(firstKey).pointer(shape.sinks()).pointer(lse)
                .int32(shape.sinks() == null ? 0 : Launch.code(shape.sinks().dtype()))
                .int32(tokens).int32(shape.heads()).int32(shape.kvHeads()).float32(shape.scale()).endStruct().run();
    }

    void backward(Tensor dOut, Tensor q, Tensor k, Tensor v, Tensor out, Tensor lse, Bounds bounds, Tensor dq, Tensor dk, Tensor dv,
            Scope scratch) {
        int head = shape.headDim();
        int value = shape.valueDim();
        int queries = TileSizes.of("FLASH_BACKWARD_" + head + "_QUERIES");
        int keys = TileSizes.of("FLASH_BACKWARD_" + head + "_KEYS");
        int queryBlocks = Math.ceilDiv(tokens, queries);
        int keyBlocks = Math.ceilDiv(tokens, keys);
        long paddedTokens = (long) queryBlocks * queries;
        int splits = splits(keyBlocks, keys);
        var lse2 = scratch.allocate("lse in base 2", DType.FLOAT32, shape.heads(), paddedTokens);
        var delta = scratch.allocate("delta", DType.FLOAT32, lse2.shape());
        var turns = scratch.allocate("turns", DType.INT32, (head > WIDEST_WHOLE ? 2L : 1) * shape.heads() * queryBlocks + 1);
        var dqSums = scratch.allocate("dq sums", DType.FLOAT32, shape.heads(), queryBlocks, (long) queries * head);
        var dkParts = scratch.allocate("dk parts", DType.FLOAT32, splits, shape.kvHeads(), keyBlocks, (long) keys * head);
        var dvParts = scratch.allocate("dv parts", DType.FLOAT32, splits, shape.kvHeads(), keyBlocks, (long) keys * value);
        device.fill(turns.address(), (byte) 0, turns.bytes());
        device.launch("flash_prepare").grid(paddedTokens / PREPARE_TOKENS, Math.ceilDiv(shape.heads(), PREPARE_HEADS)).block(FLAT_THREADS)
                .pointer(dOut).pointer(out).pointer(lse).pointer(lse2).pointer(delta)
                .int32(tokens).int32(paddedTokens).int32(shape.heads()).int32(value).run();
        device.launch("flash_backward_" + head).grid((long) keyBlocks * shape.kvHeads() * splits).block(THREADS)
                .sharedBytes(TileSizes.of("FLASH_BACKWARD_" + head + "_SHARED_BYTES"))
                .tensorMap(map(q, queries)).tensorMap(map(k, keys)).tensorMap(map(v, keys)).tensorMap(map(dOut, queries)).beginStruct()
                .pointer(bounds.firstKey).pointer(bounds.lastQuery).pointer(lse2).pointer(delta).pointer(turns)
                .pointer(dqSums).pointer(dkParts).pointer(dvParts)
                .int32(tokens).int32(shape.heads()).int32(shape.kvHeads()).int32(splits).float32(shape.scale()).endStruct().run();
        var sums = List.of(new Sum(dkParts, dk, splits, keyBlocks * keys / STORED_ROWS, shape.kvHeads(), shape.scale()),
                new Sum(dvParts, dv, splits, keyBlocks * keys / STORED_ROWS, shape.kvHeads(), 1),
                new Sum(dqSums, dq, 1, queryBlocks * queries / STORED_ROWS, shape.heads(), shape.scale()));
        var launch = device.launch("flash_gradient").grid(sums.stream().mapToLong(Sum::grid).sum()).block(GRADIENT_THREADS).beginStruct().int32(tokens);
        sums.forEach(sum -> sum.put(launch));
        launch.endStruct().run();
    }

    /// Among how many blocks a key-value head's query heads are divided.
    private int splits(int keyBlocks, int keys) {
        int group = shape.heads() / shape.kvHeads();
        long blocks = (long) shape.kvHeads() * keyBlocks;
        long bytes = blocks * keys * (shape.headDim() + shape.valueDim()) * Float.BYTES;
        int splits = 1;
        while (splits < MOST_SPLITS && group % (2 * splits) == 0 && 2 * splits * bytes <= MOST_PARTIAL_BYTES
                && (shape.window() == 0 || splits * blocks < ENOUGH_BLOCKS_OF_A_WINDOW)) {
            splits *= 2;
        }
        return splits;
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
