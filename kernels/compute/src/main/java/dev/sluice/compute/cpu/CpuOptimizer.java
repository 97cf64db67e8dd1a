package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.LANES;
import static dev.sluice.compute.cpu.Memory.SPECIES;
import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.get;
import static dev.sluice.compute.cpu.Memory.load;
import static dev.sluice.compute.cpu.Memory.set;
import static dev.sluice.compute.cpu.Memory.store;
import static dev.sluice.compute.cpu.Memory.whole;

import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.OptimizerOps;
import dev.sluice.compute.op.ParameterArena;
import jdk.incubator.vector.FloatVector;

/// AdamW in torch's order of operations, so that the same gradients give the same parameters.
final class CpuOptimizer implements OptimizerOps {
    /// Parameters per task, and per partial sum of the norm.
    private static final int BLOCK = 1 << 14;
    /// What `torch.nn.utils.clip_grad_norm_` adds to the norm it divides by.
    private static final double CLIP_EPSILON = 1e-6;

    private final Workers workers;

    CpuOptimizer(Workers workers) {
        this.workers = workers;
    }

    @Override
    public ParameterArena arena(Scope run, long size) {
        return FlatArena.allocate(run, size);
    }

    @Override
    public void update(ParameterArena arena, AdamW settings, Tensor norm) {
        String operation = "adamw update";
        norm.require(operation, DType.FLOAT32, 1);
        if (!(arena instanceof FlatArena flat)) {
            throw new IllegalArgumentException(operation + ": the arena should be this backend's own, was " + arena);
        }
        double total = norm(flat);
        set(norm.address(), (float) total);
        if (Double.isFinite(total)) {
            var rule = Rule.of(settings, total);
            blocks(flat.size(), (first, count, _) -> rule.apply(flat, first, count));
        }
        long gradients = flat.gradients().address();
        blocks(flat.size(), (first, count, _) -> Memory.zero(at(gradients, first), 4L * count));
    }

    private double norm(FlatArena arena) {
        double[] sums = new double[Math.toIntExact(Math.ceilDiv(arena.size(), BLOCK))];
        long gradients = arena.gradients().address();
        blocks(arena.size(), (first, count, block) -> sums[block] = Rows.sumOfSquares(at(gradients, first), count));
        double total = 0;
        for (double sum : sums) {
            total += sum;
        }
        return Math.sqrt(total);
    }

    /// A stretch of parameters and its number.
    private interface Block {
        void run(long first, int count, int block);
    }

    private void blocks(long size, Block body) {
        workers.run(Math.toIntExact(Math.ceilDiv(size, BLOCK)), (task, _) -> {
            long first = (long) task * BLOCK;
            body.run(first, (int) Math.min(BLOCK, size - first), task);
        });
    }

    /// One step's factors, rounded where torch rounds them.
    ///
    /// @param clip factor of the gradients
    /// @param keep factor of the parameters: decoupled decay, before anything else
    /// @param stepSize learning rate over the first bias correction
    /// @param root square root of the second bias correction
    private record Rule(float clip, float keep, float meanShare, float beta2, float varianceShare, float stepSize, float root,
            float epsilon) {
        static Rule of(AdamW s, double norm) {
            double clip = Math.min(1, s.maxNorm() / (norm + CLIP_EPSILON));
            return new Rule((float) clip, (float) (1 - s.learningRate() * s.weightDecay()), (float) (1 - s.beta1()),
                    (float) s.beta2(), (float) (1 - s.beta2()),
                    (float) (s.learningRate() / (1 - StrictMath.pow(s.beta1(), s.step()))),
                    (float) Math.sqrt(1 - StrictMath.pow(s.beta2(), s.step())), (float) s.epsilon());
        }

        void apply(FlatArena arena, long first, int count) {
            long p = at(arena.values().address(), first);
            long g = at(arena.gradients().address(), first);
            long m = at(arena.mean().address(), first);
            long v = at(arena.variance().address(), first);
            int i = 0;
            for (; i < whole(count); i += LANES) {
                var gradient = load(at(g, i)).mul(clip);
                var oldMean = load(at(m, i));
                var mean = gradient.sub(oldMean).fma(FloatVector.broadcast(SPECIES, meanShare), oldMean);
                var variance = load(at(v, i)).mul(beta2).add(gradient.mul(varianceShare).mul(gradient));
                var denominator = variance.sqrt().div(root).add(epsilon);
                store(mean, at(m, i));
                store(variance, at(v, i));
                store(load(at(p, i)).mul(keep).sub(mean.div(denominator).mul(stepSize)), at(p, i));
            }
            for (; i < count; i++) {
                applyOne(at(p, i), at(g, i), at(m, i), at(v, i));
            }
        }

        private void applyOne(long p, long g, long m, long v) {
            float gradient = get(g) * clip;
            float mean = Math.fma(gradient - get(m), meanShare, get(m));
            float variance = get(v) * beta2 + gradient * varianceShare * gradient;
            float denominator = (float) Math.sqrt(variance) / root + epsilon;
            set(m, mean);
            set(v, variance);
            set(p, get(p) * keep - mean / denominator * stepSize);
        }
    }
}
