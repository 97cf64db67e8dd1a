package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.LANES;
import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.get;
import static dev.sluice.compute.cpu.Memory.load;
import static dev.sluice.compute.cpu.Memory.store;

/// Gradients of one document for one key-value head and the query heads that share it, tile by tile in a fixed order.
/// Source: Dao 2023, algorithm 2.
///
/// All addresses are of whole tensors, shaped as in [dev.sluice.compute.op.AttentionOps].
record AttentionBackward(Gemm gemm, CpuAttention.Inputs inputs, long dOut, long out, long lse, long dq, long dk, long dv) {
    /// Floats of scratch memory per worker: probabilities and their gradients.
    static final int SCRATCH = 2 * ScoreTile.ELEMENTS;

    void run(int start, int end, int kvHead, long scratch) {
        var shape = inputs.shape();
        for (int token = start; token < end; token++) {
            Rows.fill(keyGradient(token, kvHead), shape.headDim(), 0f);
            Rows.fill(valueGradient(token, kvHead), shape.valueDim(), 0f);
        }
        int sharing = shape.heads() / shape.kvHeads();
        for (int head = kvHead * sharing; head < (kvHead + 1) * sharing; head++) {
            for (int first = start; first < end; first += ScoreTile.QUERIES) {
                block(new QueryBlock(start, first, Math.min(end, first + ScoreTile.QUERIES)), head, kvHead, scratch);
            }
        }
    }

    private long keyGradient(int token, int kvHead) {
        return at(dk, (long) token * inputs.keyStride() + (long) kvHead * inputs.shape().headDim());
    }

    private long valueGradient(int token, int kvHead) {
        return at(dv, (long) token * inputs.valueStride() + (long) kvHead * inputs.shape().valueDim());
    }

    private void block(QueryBlock block, int head, int kvHead, long scratch) {
        float[] drift = new float[block.count()];
        for (int i = 0; i < drift.length; i++) {
            long offset = inputs.outOffset(block.first() + i, head);
            drift[i] = Rows.dot(at(dOut, offset), at(out, offset), inputs.shape().valueDim());
        }
        int start = block.firstKey(inputs.shape().window());
        for (int key = start; key < block.end(); key += ScoreTile.KEYS) {
            int keys = Math.min(ScoreTile.KEYS, block.end() - key);
            tile(block, head, kvHead, key, keys, key == start, drift, scratch, at(scratch, ScoreTile.ELEMENTS));
        }
    }

    private void tile(QueryBlock block, int head, int kvHead, int key, int keys, boolean first, float[] drift,
            long probabilities, long gradients) {
        var shape = inputs.shape();
        int rows = block.count();
        int width = ScoreTile.WIDTH;
        long query = inputs.query(block.first(), head);
        long incoming = at(dOut, inputs.outOffset(block.first(), head));
        gemm.nt(rows, keys, shape.headDim(), shape.scale(), query, inputs.queryStride(), inputs.key(key, kvHead),
                inputs.keyStride(), false, probabilities, width);
        gemm.nt(rows, keys, shape.valueDim(), 1f, incoming, inputs.outStride(), inputs.value(key, kvHead),
                inputs.valueStride(), false, gradients, width);
        for (int i = 0; i < rows; i++) {
            scoreGradients(block.first() + i, head, key, keys, drift[i], ScoreTile.row(probabilities, i),
                    ScoreTile.row(gradients, i));
        }
        gemm.tn(keys, shape.valueDim(), rows, 1f, probabilities, width, incoming, inputs.outStride(), true,
                valueGradient(key, kvHead), inputs.valueStride());
        gemm.tn(keys, shape.headDim(), rows, shape.scale(), gradients, width, query, inputs.queryStride(), true,
                keyGradient(key, kvHead), inputs.keyStride());
        gemm.nn(rows, shape.headDim(), keys, shape.scale(), gradients, width, inputs.key(key, kvHead), inputs.keyStride(),
                !first, at(dq, (query - inputs.q()) >> 2), inputs.queryStride());
    }

    /// `p = exp(score - lse)`, `dScore = p * (dP - drift)`, both 0 where the query does not see the key.
    private void scoreGradients(int token, int head, int key, int keys, float drift, long p, long d) {
        int from = ScoreTile.visibleFrom(token, key, inputs.shape().window());
        int to = ScoreTile.visibleTo(token, key, keys);
        if (to <= from) {
            Rows.fill(p, keys, 0f);
            Rows.fill(d, keys, 0f);
            return;
        }
        int end = ScoreTile.mask(p, from, to, keys);
        for (int i = to; i < end; i++) {
            Memory.set(at(d, i), 0f);
        }
        float normalizer = get(at(lse, (long) token * inputs.shape().heads() + head));
        for (int i = 0; i < end; i += LANES) {
            var probability = Lanes.exp(load(at(p, i)).sub(normalizer));
            store(probability, at(p, i));
            store(probability.mul(load(at(d, i)).sub(drift)), at(d, i));
        }
        if (end < keys) {
            Rows.fill(at(d, end), keys - end, 0f);
        }
    }
}
