package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.get;
import static dev.sluice.compute.cpu.Memory.getByte;
import static dev.sluice.compute.cpu.Memory.set;
import static dev.sluice.compute.cpu.Memory.setByte;

import dev.sluice.compute.op.OptimizerState;

/// Updates parameters whose moments are codes, a block of theirs at a time: the moments in float32 move the parameters, and
/// only then are rounded for the next step.
final class LeanBlock {
    private final FlatArena arena;
    private final AdamRule rule;
    private final long step;
    private final long meanCodes;
    private final long varianceCodes;
    private final long meanScales;
    private final long varianceScales;
    private final float[] mean = new float[OptimizerState.BLOCK];
    private final float[] variance = new float[OptimizerState.BLOCK];
    private final int[] count = new int[OptimizerState.BLOCK];
    private final int[] dither = new int[OptimizerState.BLOCK];

    LeanBlock(FlatArena arena, Moments.Lean moments, AdamRule rule, long step) {
        this.arena = arena;
        this.rule = rule;
        this.step = step;
        meanCodes = moments.mean().address();
        varianceCodes = moments.variance().address();
        meanScales = moments.meanScale().address();
        varianceScales = moments.varianceScale().address();
    }

    /// @param first a multiple of the block's size
    void update(long first, int size) {
        long block = first / OptimizerState.BLOCK;
        int largest = move(first, size, get(at(meanScales, block)), EightBits.baseOf(get(at(varianceScales, block))));
        set(at(varianceScales, block), EightBits.scale(largest));
        set(at(meanScales, block), keep(first, size, EightBits.base(largest)));
    }

    /// Returns the largest count of the new variances.
    private int move(long first, int size, float meanScale, int base) {
        long p = at(arena.values().address(), first);
        long g = at(arena.gradients().address(), first);
        int seed = EightBits.seed(step, first);
        int largest = 0;
        for (int i = 0; i < size; i++) {
            float gradient = get(at(g, i)) * rule.clip();
            float oldVariance = EightBits.variance(getByte(varianceCodes + first + i) & 0xff, base);
            float oldMean = EightBits.ratio(getByte(meanCodes + first + i), meanScale) * (float) Math.sqrt(oldVariance);
            mean[i] = rule.mean(gradient, oldMean);
            variance[i] = rule.variance(gradient, oldVariance);
            set(at(p, i), rule.parameter(get(at(p, i)), mean[i], variance[i]));
            dither[i] = EightBits.dither(seed, first + i);
            count[i] = EightBits.count(variance[i], dither[i]);
            largest = Math.max(largest, count[i]);
        }
        return largest;
    }

    /// Writes the codes and returns the scale of the means, which the variances as they were rounded belong to.
    private float keep(long first, int size, int base) {
        float largest = 0;
        for (int i = 0; i < size; i++) {
            int code = EightBits.varianceCode(variance[i], count[i], base);
            setByte(varianceCodes + first + i, (byte) code);
            mean[i] = code == 0 ? 0 : mean[i] / (float) Math.sqrt(EightBits.variance(code, base));
            largest = Math.max(largest, Math.abs(mean[i]));
        }
        float stepsPerUnit = EightBits.stepsPerUnit(largest);
        for (int i = 0; i < size; i++) {
            setByte(meanCodes + first + i, (byte) EightBits.meanCode(mean[i], stepsPerUnit, dither[i]));
        }
        return stepsPerUnit == 0 ? 0 : largest;
    }
}
