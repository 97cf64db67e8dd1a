package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.LANES;
import static dev.sluice.compute.cpu.Memory.SPECIES;
import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.get;
import static dev.sluice.compute.cpu.Memory.load;
import static dev.sluice.compute.cpu.Memory.set;
import static dev.sluice.compute.cpu.Memory.store;
import static dev.sluice.compute.cpu.Memory.whole;

import dev.sluice.compute.op.OptimizerOps.AdamW;
import jdk.incubator.vector.FloatVector;

/// One step's factors, rounded where torch rounds them.
///
/// @param clip factor of the gradients
/// @param keep factor of the parameters: decoupled decay, before anything else
/// @param stepSize learning rate over the first bias correction
/// @param root square root of the second bias correction
record AdamRule(float clip, float keep, float meanShare, float beta2, float varianceShare, float stepSize, float root, float epsilon) {
    /// What `torch.nn.utils.clip_grad_norm_` adds to the norm it divides by.
    private static final double CLIP_EPSILON = 1e-6;

    static AdamRule of(AdamW s, double norm) {
        double clip = Math.min(1, s.maxNorm() / (norm + CLIP_EPSILON));
        return new AdamRule((float) clip, (float) (1 - s.learningRate() * s.weightDecay()), (float) (1 - s.beta1()),
                (float) s.beta2(), (float) (1 - s.beta2()),
                (float) (s.learningRate() / (1 - StrictMath.pow(s.beta1(), s.step()))),
                (float) Math.sqrt(1 - StrictMath.pow(s.beta2(), s.step())), (float) s.epsilon());
    }

    void apply(FlatArena arena, Moments.Exact moments, long first, int count) {
        long p = at(arena.values().address(), first);
        long g = at(arena.gradients().address(), first);
        long m = at(moments.mean().address(), first);
        long v = at(moments.variance().address(), first);
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
        float mean = mean(gradient, get(m));
        float variance = variance(gradient, get(v));
        set(m, mean);
        set(v, variance);
        set(p, parameter(get(p), mean, variance));
    }

    float mean(float gradient, float old) {
        return Math.fma(gradient - old, meanShare, old);
    }

    float variance(float gradient, float old) {
        return old * beta2 + gradient * varianceShare * gradient;
    }

    float parameter(float old, float mean, float variance) {
        float denominator = (float) Math.sqrt(variance) / root + epsilon;
        return old * keep - mean / denominator * stepSize;
    }
}
