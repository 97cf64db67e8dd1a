package dev.sluice.compute.contract;

import dev.sluice.compute.op.OptimizerOps.AdamW;
import dev.sluice.compute.op.OptimizerState;
import java.util.Arrays;

/// AdamW with moments of one byte, in float64 but for what is rounded between two steps.
final class LeanReference {
    private static final int VARIANCE_SHIFT = 20;

    private final double[] parameters;
    /// What the codes stand for.
    private final double[] mean;
    private final double[] variance;

    LeanReference(double[] parameters) {
        this.parameters = parameters.clone();
        this.mean = new double[parameters.length];
        this.variance = new double[parameters.length];
    }

    double[] parameters() {
        return parameters;
    }

    void step(double[] gradients, AdamW s) {
        double norm = Math.sqrt(Arrays.stream(gradients).map(g -> g * g).sum());
        double clip = Math.min(1, s.maxNorm() / (norm + 1e-6));
        for (int i = 0; i < parameters.length; i++) {
            double g = gradients[i] * clip;
            mean[i] = s.beta1() * mean[i] + (1 - s.beta1()) * g;
            variance[i] = s.beta2() * variance[i] + (1 - s.beta2()) * g * g;
            double meanHat = mean[i] / (1 - Math.pow(s.beta1(), s.step()));
            double varianceHat = variance[i] / (1 - Math.pow(s.beta2(), s.step()));
            parameters[i] -= s.learningRate() * s.weightDecay() * parameters[i];
            parameters[i] -= s.learningRate() * meanHat / (Math.sqrt(varianceHat) + s.epsilon());
        }
        for (int from = 0; from < parameters.length; from += OptimizerState.BLOCK) {
            round(from, Math.min(parameters.length, from + OptimizerState.BLOCK), (int) s.step());
        }
    }

    private void round(int from, int to, int step) {
        int largest = 0;
        for (int i = from; i < to; i++) {
            largest = Math.max(largest, count(i, step));
        }
        int base = Math.max(largest - 255, 7);
        double largestRatio = 0;
        for (int i = from; i < to; i++) {
            int code = variance[i] == 0 ? 0 : Math.max(count(i, step) - base, 1);
            variance[i] = code == 0 ? 0 : Float.intBitsToFloat(base + code << VARIANCE_SHIFT);
            mean[i] = code == 0 ? 0 : mean[i] / Math.sqrt(variance[i]);
            largestRatio = Math.max(largestRatio, Math.abs(mean[i]));
        }
        for (int i = from; i < to; i++) {
            double dither = ((hash(i, step) & 0xfff) + 0.5) / 0x1000;
            double ratio = largestRatio == 0 ? 0 : Math.floor(mean[i] * 127 / largestRatio + dither) * largestRatio / 127;
            mean[i] = ratio * Math.sqrt(variance[i]);
        }
    }

    private int count(int i, int step) {
        return Float.floatToRawIntBits((float) variance[i]) + (hash(i, step) >>> 12) >>> VARIANCE_SHIFT;
    }

    private static int hash(int i, int step) {
        return murmur(i ^ murmur(step));
    }

    private static int murmur(int h) {
        h ^= h >>> 16;
        h *= 0x85ebca6b;
        h ^= h >>> 13;
        h *= 0xc2b2ae35;
        return h ^ h >>> 16;
    }
}
