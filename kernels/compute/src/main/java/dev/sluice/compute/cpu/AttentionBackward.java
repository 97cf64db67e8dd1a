package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.LANES;
import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.get;
import static dev.sluice.compute.cpu.Memory.load;
import static dev.sluice.compute.cpu.Memory.store;

import dev.sluice.compute.Segments;
import dev.sluice.compute.op.AttentionOps;
import java.util.ArrayList;
import java.util.List;

/// Gradients of one document, tile by tile in a fixed order. Source: Dao 2023, algorithm 2.
///
/// A document up to a length is one task per key-value head, with five products a tile. A longer one is cut along its
/// keys for dk and dv and along its queries for dq, which recomputes the scores: seven products, but tasks enough for
/// many cores, and still no two tasks that add to one place.
///
/// All addresses are of whole tensors, shaped as in [dev.sluice.compute.op.AttentionOps].
record AttentionBackward(Gemm gemm, CpuAttention.Inputs inputs, long dOut, long out, long lse, long dq, long dk, long dv) {
    /// Floats of scratch memory per worker: probabilities and their gradients.
    static final int SCRATCH = 2 * ScoreTile.ELEMENTS;

    /// Which gradients a tile adds to.
    private enum Wanted {
        ALL, KEYS, QUERIES
    }

    /// One piece of the work.
    sealed interface Task {}

    /// All gradients of a document for one key-value head and the query heads that share it.
    record Whole(int start, int end, int kvHead) implements Task {}

    /// dk and dv of the keys `first` to `last`-1 of a document.
    record Keys(int start, int end, int kvHead, int first, int last) implements Task {}

    /// dq of one block of queries and one head.
    record Queries(QueryBlock block, int head) implements Task {}

    /// @param longest longest document that is one task per key-value head
    static Task[] tasks(Segments segments, AttentionOps.Shape shape, int longest) {
        var tasks = new ArrayList<Task>();
        int[] starts = segments.starts();
        for (int s = 0; s < segments.count(); s++) {
            for (int kvHead = 0; kvHead < shape.kvHeads(); kvHead++) {
                if (starts[s + 1] - starts[s] <= longest) {
                    tasks.add(new Whole(starts[s], starts[s + 1], kvHead));
                } else {
                    cut(starts[s], starts[s + 1], kvHead, shape, tasks);
                }
            }
        }
        return tasks.toArray(Task[]::new);
    }

    private static void cut(int start, int end, int kvHead, AttentionOps.Shape shape, List<Task> tasks) {
        for (int first = start; first < end; first += ScoreTile.KEYS) {
            tasks.add(new Keys(start, end, kvHead, first, Math.min(end, first + ScoreTile.KEYS)));
        }
        int sharing = shape.heads() / shape.kvHeads();
        for (int head = kvHead * sharing; head < (kvHead + 1) * sharing; head++) {
            for (int first = start; first < end; first += ScoreTile.QUERIES) {
                tasks.add(new Queries(new QueryBlock(start, first, Math.min(end, first + ScoreTile.QUERIES)), head));
            }
        }
    }

    void run(Task task, long scratch) {
        switch (task) {
            case Whole(int start, int end, int kvHead) -> keys(start, end, kvHead, start, end, Wanted.ALL, scratch);
            case Keys(int start, int end, int kvHead, int first, int last) ->
                    keys(start, end, kvHead, first, last, Wanted.KEYS, scratch);
            case Queries(QueryBlock block, int head) ->
                    block(block, head, block.segment(), block.end(), Wanted.QUERIES, scratch);
        }
    }

    private void keys(int start, int end, int kvHead, int firstKey, int lastKey, Wanted wanted, long scratch) {
        var shape = inputs.shape();
        for (int token = firstKey; token < lastKey; token++) {
            Rows.fill(keyGradient(token, kvHead), shape.headDim(), 0f);
            Rows.fill(valueGradient(token, kvHead), shape.valueDim(), 0f);
        }
        int sharing = shape.heads() / shape.kvHeads();
        for (int head = kvHead * sharing; head < (kvHead + 1) * sharing; head++) {
            for (int first = start; first < end; first += ScoreTile.QUERIES) {
                block(new QueryBlock(start, first, Math.min(end, first + ScoreTile.QUERIES)), head, firstKey, lastKey, wanted,
                        scratch);
            }
        }
    }

    private long keyGradient(int token, int kvHead) {
        return at(dk, (long) token * inputs.keyStride() + (long) kvHead * inputs.shape().headDim());
    }

    private long valueGradient(int token, int kvHead) {
        return at(dv, (long) token * inputs.valueStride() + (long) kvHead * inputs.shape().valueDim());
    }

    /// Every tile of the keys from `firstKey` to `lastKey`-1 that the block's queries see.
    private void block(QueryBlock block, int head, int firstKey, int lastKey, Wanted wanted, long scratch) {
        int start = Math.max(firstKey, block.firstKey(inputs.shape().window()));
        int end = Math.min(lastKey, block.end());
        if (start >= end) {
            return;
        }
        float[] drift = new float[block.count()];
        for (int i = 0; i < drift.length; i++) {
            long offset = inputs.outOffset(block.first() + i, head);
            drift[i] = Rows.dot(at(dOut, offset), at(out, offset), inputs.shape().valueDim());
        }
        for (int key = start; key < end; key += ScoreTile.KEYS) {
            int keys = Math.min(ScoreTile.KEYS, end - key);
            scores(block, head, key, keys, drift, scratch, at(scratch, ScoreTile.ELEMENTS));
            if (wanted != Wanted.QUERIES) {
                addToKeys(block, head, key, keys, scratch, at(scratch, ScoreTile.ELEMENTS));
            }
            if (wanted != Wanted.KEYS) {
                addToQueries(block, head, key, keys, key != start, at(scratch, ScoreTile.ELEMENTS));
            }
        }
    }

    private void scores(QueryBlock block, int head, int key, int keys, float[] drift, long probabilities, long gradients) {
        var shape = inputs.shape();
        int kvHead = inputs.group(head);
        gemm.nt(block.count(), keys, shape.headDim(), shape.scale(), inputs.query(block.first(), head), inputs.queryStride(),
                inputs.key(key, kvHead), inputs.keyStride(), false, probabilities, ScoreTile.WIDTH);
        gemm.nt(block.count(), keys, shape.valueDim(), 1f, at(dOut, inputs.outOffset(block.first(), head)), inputs.outStride(),
                inputs.value(key, kvHead), inputs.valueStride(), false, gradients, ScoreTile.WIDTH);
        for (int i = 0; i < block.count(); i++) {
            scoreGradients(block.first() + i, head, key, keys, drift[i], ScoreTile.row(probabilities, i),
                    ScoreTile.row(gradients, i));
        }
    }

    private void addToKeys(QueryBlock block, int head, int key, int keys, long probabilities, long gradients) {
        var shape = inputs.shape();
        int kvHead = inputs.group(head);
        gemm.tn(keys, shape.valueDim(), block.count(), 1f, probabilities, ScoreTile.WIDTH,
                at(dOut, inputs.outOffset(block.first(), head)), inputs.outStride(), true, valueGradient(key, kvHead),
                inputs.valueStride());
        gemm.tn(keys, shape.headDim(), block.count(), shape.scale(), gradients, ScoreTile.WIDTH,
                inputs.query(block.first(), head), inputs.queryStride(), true, keyGradient(key, kvHead), inputs.keyStride());
    }

    private void addToQueries(QueryBlock block, int head, int key, int keys, boolean add, long gradients) {
        var shape = inputs.shape();
        gemm.nn(block.count(), shape.headDim(), keys, shape.scale(), gradients, ScoreTile.WIDTH,
                inputs.key(key, inputs.group(head)), inputs.keyStride(), add,
                at(dq, inputs.queryOffset(block.first(), head)), inputs.queryStride());
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
