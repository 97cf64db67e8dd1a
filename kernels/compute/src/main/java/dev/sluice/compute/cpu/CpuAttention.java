package dev.sluice.compute.cpu;

import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Segments;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.AttentionOps;

/// Attention in tiles of queries and keys: no score matrix larger than one tile exists.
final class CpuAttention implements AttentionOps {
    /// Up to here one task per key-value head keeps enough cores busy, since such documents come packed.
    static final int LONG_DOCUMENT = 2048;

    private final Workers workers;
    private final Gemm gemm;
    private final int longDocument;

    /// @param longDocument longest document whose gradients are not cut into more tasks
    CpuAttention(Workers workers, Gemm gemm, int longDocument) {
        this.workers = workers;
        this.gemm = gemm;
        this.longDocument = longDocument;
    }

    /// Everything both passes read, checked.
    ///
    /// @param sinks address of [heads], or 0
    record Inputs(long q, long k, long v, Segments segments, Shape shape, long sinks) {
        static Inputs of(String operation, Tensor q, Tensor k, Tensor v, Segments segments, Shape shape) {
            int tokens = segments.tokens();
            q.require(operation, DType.FLOAT32, tokens, shape.heads(), shape.headDim());
            k.require(operation, DType.FLOAT32, tokens, shape.kvHeads(), shape.headDim());
            v.require(operation, DType.FLOAT32, tokens, shape.kvHeads(), shape.valueDim());
            long sinks = shape.sinks() == null ? 0
                    : shape.sinks().require(operation, DType.FLOAT32, shape.heads()).address();
            return new Inputs(q.address(), k.address(), v.address(), segments, shape, sinks);
        }

        int queryStride() {
            return shape.heads() * shape.headDim();
        }

        int keyStride() {
            return shape.kvHeads() * shape.headDim();
        }

        int valueStride() {
            return shape.kvHeads() * shape.valueDim();
        }

        int outStride() {
            return shape.heads() * shape.valueDim();
        }

        /// Key-value head that query head `head` reads.
        int group(int head) {
            return head / (shape.heads() / shape.kvHeads());
        }

        /// Offset in floats of [token, head] in q, dq.
        long queryOffset(int token, int head) {
            return (long) token * queryStride() + (long) head * shape.headDim();
        }

        long query(int token, int head) {
            return Memory.at(q, queryOffset(token, head));
        }

        long key(int token, int kvHead) {
            return Memory.at(k, (long) token * keyStride() + (long) kvHead * shape.headDim());
        }

        long value(int token, int kvHead) {
            return Memory.at(v, (long) token * valueStride() + (long) kvHead * shape.valueDim());
        }

        /// Offset in floats of [token, head] in out, dOut.
        long outOffset(int token, int head) {
            return (long) token * outStride() + (long) head * shape.valueDim();
        }
    }

    @Override
    public void forward(Tensor q, Tensor k, Tensor v, Segments segments, Shape shape, Tensor out, Tensor lse, Scope scratch) {
        String operation = "attention forward";
        var inputs = Inputs.of(operation, q, k, v, segments, shape);
        int tokens = segments.tokens();
        out.require(operation, DType.FLOAT32, tokens, shape.heads(), shape.valueDim());
        lse.require(operation, DType.FLOAT32, tokens, shape.heads());
        try (var own = scratch.child("attention.forward")) {
            long scores = own.allocate("scores", DType.FLOAT32, workers.count(), ScoreTile.ELEMENTS).address();
            var pass = new AttentionForward(gemm, inputs, out.address(), lse.address());
            var blocks = QueryBlock.of(segments);
            workers.run(blocks.length * shape.heads(), (task, worker) -> pass.run(blocks[task / shape.heads()],
                    task % shape.heads(), Memory.at(scores, (long) worker * ScoreTile.ELEMENTS)));
        }
    }

    @Override
    public void backward(Tensor dOut, Tensor q, Tensor k, Tensor v, Tensor out, Tensor lse, Segments segments, Shape shape,
            Tensor dq, Tensor dk, Tensor dv, Scope scratch) {
        String operation = "attention backward";
        var inputs = Inputs.of(operation, q, k, v, segments, shape);
        int tokens = segments.tokens();
        dOut.require(operation, DType.FLOAT32, tokens, shape.heads(), shape.valueDim());
        out.require(operation, DType.FLOAT32, tokens, shape.heads(), shape.valueDim());
        lse.require(operation, DType.FLOAT32, tokens, shape.heads());
        dq.require(operation, DType.FLOAT32, q.shape());
        dk.require(operation, DType.FLOAT32, k.shape());
        dv.require(operation, DType.FLOAT32, v.shape());
        try (var own = scratch.child("attention.backward")) {
            long tiles = own.allocate("tiles", DType.FLOAT32, workers.count(), AttentionBackward.SCRATCH).address();
            var pass = new AttentionBackward(gemm, inputs, dOut.address(), out.address(), lse.address(),
                    dq.address(), dk.address(), dv.address());
            var tasks = AttentionBackward.tasks(segments, shape, longDocument);
            workers.run(tasks.length, (task, worker) ->
                    pass.run(tasks[task], Memory.at(tiles, (long) worker * AttentionBackward.SCRATCH)));
        }
    }
}
