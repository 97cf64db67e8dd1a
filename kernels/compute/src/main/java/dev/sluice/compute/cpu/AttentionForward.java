package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.set;

import java.util.Arrays;

/// Online softmax over tiles of keys for one block of queries and one head. Source: Dao 2023, algorithm 1.
///
/// @param out address of [tokens, heads, valueDim]
/// @param lse address of [tokens, heads]
record AttentionForward(Gemm gemm, CpuAttention.Inputs inputs, long out, long lse) {
    void run(QueryBlock block, int head, long tile) {
        int rows = block.count();
        float[] largest = new float[rows];
        double[] denominator = new double[rows];
        float sink = inputs.sinks() == 0 ? Float.NEGATIVE_INFINITY : Memory.get(at(inputs.sinks(), head));
        Arrays.fill(largest, sink);
        Arrays.fill(denominator, inputs.sinks() == 0 ? 0 : 1);
        int start = block.firstKey(inputs.shape().window());
        for (int key = start; key < block.end(); key += ScoreTile.KEYS) {
            int keys = Math.min(ScoreTile.KEYS, block.end() - key);
            addTile(block, head, key, keys, key == start, largest, denominator, tile);
        }
        finish(block, head, largest, denominator);
    }

    private void addTile(QueryBlock block, int head, int key, int keys, boolean first, float[] largest,
            double[] denominator, long tile) {
        var shape = inputs.shape();
        int kvHead = inputs.group(head);
        gemm.nt(block.count(), keys, shape.headDim(), shape.scale(), inputs.query(block.first(), head), inputs.queryStride(),
                inputs.key(key, kvHead), inputs.keyStride(), false, tile, ScoreTile.WIDTH);
        for (int i = 0; i < block.count(); i++) {
            float factor = softmaxRow(ScoreTile.row(tile, i), block.first() + i, key, keys, i, largest, denominator);
            if (!first && factor != 1f) {
                Rows.scale(at(out, inputs.outOffset(block.first() + i, head)), shape.valueDim(), factor);
            }
        }
        gemm.nn(block.count(), shape.valueDim(), keys, 1f, tile, ScoreTile.WIDTH, inputs.value(key, kvHead),
                inputs.valueStride(), !first, at(out, inputs.outOffset(block.first(), head)), inputs.outStride());
    }

    /// Turns scores into exponentials; returns what earlier sums must be multiplied by.
    private float softmaxRow(long row, int query, int key, int keys, int i, float[] largest, double[] denominator) {
        int from = ScoreTile.visibleFrom(query, key, inputs.shape().window());
        int to = ScoreTile.visibleTo(query, key, keys);
        if (to <= from) {
            Rows.fill(row, keys, 0f);
            return 1f;
        }
        int end = ScoreTile.mask(row, from, to, keys);
        float now = Math.max(largest[i], Rows.max(row, end));
        float factor = Lanes.exp(largest[i] - now);
        denominator[i] = denominator[i] * factor + Rows.expSum(row, end, now);
        largest[i] = now;
        return factor;
    }

    private void finish(QueryBlock block, int head, float[] largest, double[] denominator) {
        var shape = inputs.shape();
        for (int i = 0; i < block.count(); i++) {
            int token = block.first() + i;
            Rows.scale(at(out, inputs.outOffset(token, head)), shape.valueDim(), (float) (1 / denominator[i]));
            set(at(lse, (long) token * shape.heads() + head), (float) (largest[i] + StrictMath.log(denominator[i])));
        }
    }
}
