package dev.sluice.compute.cpu;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Segments;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.compute.op.AttentionOps;
import dev.sluice.compute.op.ConvolutionOps;
import dev.sluice.compute.op.ElementwiseOps;
import dev.sluice.compute.op.ExpertOps;
import dev.sluice.compute.op.GatedActivation;
import dev.sluice.compute.op.LinearOps;
import dev.sluice.compute.op.LossOps;
import dev.sluice.compute.op.NormOps;
import dev.sluice.compute.op.OptimizerOps;
import dev.sluice.compute.op.OptimizerState;
import dev.sluice.compute.op.ParameterArena;
import dev.sluice.compute.op.RotaryOps;
import dev.sluice.compute.op.RouterOps;
import dev.sluice.compute.op.Routing;

/// Every operation of the CPU backend reduced to the scratch memory that it takes.
///
/// @param workers threads that have scratch memory of their own
record DryOperations(int workers) implements ElementwiseOps, NormOps, RotaryOps, LinearOps, AttentionOps, ConvolutionOps, RouterOps,
        ExpertOps, LossOps, OptimizerOps {

    /// Takes numbers and gives them back.
    private static void take(Scope scratch, long... floats) {
        try (var own = scratch.child("dry run")) {
            for (long count : floats) {
                own.allocate("scratch", DType.FLOAT32, count);
            }
        }
    }

    @Override
    public void forward(Tensor x, Linear layer, Tensor z, Tensor y, Scope scratch) {
        take(scratch, widened(layer.weight()));
    }

    @Override
    public void recompute(Tensor x, Linear layer, Tensor z, Tensor y, Scope scratch) {
        take(scratch, widened(layer.weight()));
    }

    @Override
    public void backward(Tensor dy, Tensor x, Tensor z, Linear layer, Tensor dx, Accumulate mode, Scope scratch) {
        take(scratch, dy.dim(0) * layer.rank(), dx == null ? 0 : widened(layer.weight()));
    }

    private static long widened(Weight weight) {
        return (long) LinearWeight.of("dry run", weight).widenedRows() * weight.in();
    }

    @Override
    public void forward(Tensor q, Tensor k, Tensor v, Segments segments, Shape shape, Tensor out, Tensor lse, Scope scratch) {
        take(scratch, (long) workers * ScoreTile.ELEMENTS);
    }

    @Override
    public void backward(Tensor dOut, Tensor q, Tensor k, Tensor v, Tensor out, Tensor lse, Segments segments, Shape shape, Tensor dq,
            Tensor dk, Tensor dv, Scope scratch) {
        take(scratch, (long) workers * AttentionBackward.SCRATCH);
    }

    @Override
    public void route(Tensor x, Router router, Tensor logits, Routing routing, Scope scratch) {
        take(scratch, workers * 2L * router.experts());
    }

    @Override
    public void logits(Tensor x, Router router, Tensor logits, Scope scratch) {
        // Needs none.
    }

    @Override
    public void backward(Tensor dWeights, Tensor logits, Routing routing, Router router, Tensor dx, Accumulate mode, Scope scratch) {
        take(scratch, logits.elements());
    }

    @Override
    public void forward(Tensor x, Routing routing, Experts experts, Tape tape, Tensor out, Accumulate mode, Scope scratch) {
        take(scratch, routing.rows() * experts.gateUp().in(), workers * forwardBuffer(experts));
    }

    @Override
    public void recompute(Tensor x, Routing routing, Experts experts, Tape tape, Scope scratch) {
        take(scratch, workers * forwardBuffer(experts));
    }

    private static long forwardBuffer(Experts experts) {
        return ExpertForward.scratch((int) experts.gateUp().in(), (int) experts.down().in(), widened(experts));
    }

    private static int widened(Experts experts) {
        return Math.max(ExpertMatrix.of("dry run", experts.gateUp()).scratch(), ExpertMatrix.of("dry run", experts.down()).scratch());
    }

    /// With partial gradients for as many further runs of rows as there can be.
    @Override
    public void backward(Tensor dOut, Tensor x, Routing routing, Experts experts, Tape tape, Tensor dx, Accumulate mode, Tensor dWeights,
            Scope scratch) {
        long hidden = experts.gateUp().in();
        long width = experts.down().in();
        long partial = experts.gateUpRank() * (hidden + 2 * width) + experts.downRank() * (hidden + width);
        take(scratch, routing.rows() * hidden, routing.rows(),
                (long) workers * ExpertBackward.scratch((int) hidden, (int) width, Math.max(experts.gateUpRank(), experts.downRank()),
                        widened(experts)), routing.rows() / ExpertBackward.RUN * partial);
    }

    @Override
    public void crossEntropy(Tensor hidden, Linear head, Tensor labels, Tensor gradientScale, Tensor nll, Tensor headZ, Tensor dHidden,
            Scope scratch) {
        long chunk = Math.min(hidden.dim(0), CpuLoss.chunk((int) head.weight().out()));
        take(scratch, chunk * head.weight().out(), chunk * head.weight().in(), chunk * head.weight().in(), chunk * head.rank(),
                chunk * head.rank(), widened(head.weight()));
    }

    @Override
    public void score(Tensor hidden, Linear head, Tensor labels, Tensor nll, Tensor predictions, Scope scratch) {
        long chunk = Math.min(hidden.dim(0), CpuLoss.chunk((int) head.weight().out()));
        take(scratch, chunk * head.weight().out(), chunk * head.rank(), widened(head.weight()));
    }

    @Override
    public ParameterArena arena(Scope run, long size, OptimizerState state) {
        throw new UnsupportedOperationException("a dry run measures micro-batches; it has no parameters to update");
    }

    // Whatever follows needs no scratch memory.

    @Override
    public void update(ParameterArena arena, AdamW settings, Tensor norm) {}

    @Override
    public void embed(Tensor ids, Tensor table, Tensor out) {}

    @Override
    public void add(Tensor left, Tensor right, Tensor out) {}

    @Override
    public void gated(GatedActivation activation, Tensor gate, Tensor up, Tensor out) {}

    @Override
    public void gatedBackward(GatedActivation activation, Tensor dOut, Tensor gate, Tensor up, Tensor dGate, Tensor dUp) {}

    @Override
    public void scale(Tensor x, float factor) {}

    @Override
    public void clamp(Tensor x, float limit, Tensor out) {}

    @Override
    public void clampBackward(Tensor gradient, Tensor x, float limit) {}

    @Override
    public void copyColumns(Tensor from, int fromColumn, Tensor to, int toColumn, int columns) {}

    @Override
    public void sumColumns(Tensor from, int fromColumn, Tensor to, int toColumn, int columns) {}

    @Override
    public void zero(Tensor tensor) {}

    @Override
    public void rmsNorm(Tensor x, Tensor weight, float epsilon, Tensor y, Tensor rstd) {}

    @Override
    public void addRmsNorm(Tensor x, Tensor added, Tensor weight, float epsilon, Tensor sum, Tensor y, Tensor rstd) {}

    @Override
    public void rmsNormBackward(Tensor dy, Tensor x, Tensor weight, Tensor rstd, Tensor dx, Accumulate mode) {}

    @Override
    public void rotate(Tensor x, Tensor positions, Tensor cos, Tensor sin, Pairing pairing, Direction direction) {}

    @Override
    public void normRotate(NormedHeads query, Tensor rotatedQuery, NormedHeads key, Tensor rotatedKey, float epsilon, Angles angles) {}

    @Override
    public void normRotateBackward(NormedHeads query, Tensor dQuery, NormedHeads key, Tensor dKey, Angles angles) {}

    @Override
    public void forward(Tensor x, Segments segments, Tensor taps, Tensor bias, Tensor y) {}

    @Override
    public void backward(Tensor dy, Segments segments, Tensor taps, Tensor dx) {}
}
