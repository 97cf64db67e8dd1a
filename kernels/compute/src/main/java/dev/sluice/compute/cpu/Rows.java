package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.LANES;
import static dev.sluice.compute.cpu.Memory.SPECIES;
import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.get;
import static dev.sluice.compute.cpu.Memory.load;
import static dev.sluice.compute.cpu.Memory.set;
import static dev.sluice.compute.cpu.Memory.store;
import static dev.sluice.compute.cpu.Memory.whole;

import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/// Arithmetic on rows of `count` floats: whole vectors, then a scalar tail, in one fixed order.
final class Rows {
    private static final VectorSpecies<Double> DOUBLES = SPECIES.withLanes(double.class);
    /// Elements summed in float32 before the sum moves to float64; a multiple of every vector's length.
    private static final int STRETCH = 1024;

    private Rows() {}

    static float dot(long left, long right, int count) {
        var sums = FloatVector.zero(SPECIES);
        int i = 0;
        for (; i < whole(count); i += LANES) {
            sums = load(at(left, i)).fma(load(at(right, i)), sums);
        }
        float total = Lanes.sum(sums);
        for (; i < count; i++) {
            total = Math.fma(get(at(left, i)), get(at(right, i)), total);
        }
        return total;
    }

    static float max(long row, int count) {
        float largest = Float.NEGATIVE_INFINITY;
        int i = 0;
        if (count >= LANES) {
            var running = load(row);
            for (i = LANES; i < whole(count); i += LANES) {
                running = running.max(load(at(row, i)));
            }
            largest = Lanes.max(running);
        }
        for (; i < count; i++) {
            largest = Math.max(largest, get(at(row, i)));
        }
        return largest;
    }

    /// `row = exp(row - shift)`; returns the sum, taken in float64 over stretches short enough for float32.
    static double expSum(long row, int count, float shift) {
        double total = 0;
        int whole = whole(count);
        for (int first = 0; first < whole; first += STRETCH) {
            total += expSumWhole(at(row, first), Math.min(STRETCH, whole - first), shift);
        }
        for (int i = whole; i < count; i++) {
            float e = Lanes.exp(get(at(row, i)) - shift);
            set(at(row, i), e);
            total += e;
        }
        return total;
    }

    private static float expSumWhole(long row, int count, float shift) {
        var sums = FloatVector.zero(SPECIES);
        for (int i = 0; i < count; i += LANES) {
            var e = Lanes.exp(load(at(row, i)).sub(shift));
            store(e, at(row, i));
            sums = sums.add(e);
        }
        return Lanes.sum(sums);
    }

    /// Sum of squares in float64.
    static double sumOfSquares(long row, int count) {
        var low = DoubleVector.zero(DOUBLES);
        var high = DoubleVector.zero(DOUBLES);
        int i = 0;
        for (; i < whole(count); i += LANES) {
            var values = load(at(row, i));
            var first = (DoubleVector) values.convertShape(VectorOperators.F2D, DOUBLES, 0);
            var second = (DoubleVector) values.convertShape(VectorOperators.F2D, DOUBLES, 1);
            low = first.fma(first, low);
            high = second.fma(second, high);
        }
        double total = 0;
        for (double sum : low.add(high).toArray()) {
            total += sum;
        }
        for (; i < count; i++) {
            double value = get(at(row, i));
            total = Math.fma(value, value, total);
        }
        return total;
    }

    /// `row *= factor`.
    static void scale(long row, int count, float factor) {
        int i = 0;
        for (; i < whole(count); i += LANES) {
            store(load(at(row, i)).mul(factor), at(row, i));
        }
        for (; i < count; i++) {
            set(at(row, i), get(at(row, i)) * factor);
        }
    }

    /// `to = from * factor`.
    static void scaleTo(long from, int count, float factor, long to) {
        int i = 0;
        for (; i < whole(count); i += LANES) {
            store(load(at(from, i)).mul(factor), at(to, i));
        }
        for (; i < count; i++) {
            set(at(to, i), get(at(from, i)) * factor);
        }
    }

    /// `to += from * factor`.
    static void addScaled(long from, int count, float factor, long to) {
        var factors = FloatVector.broadcast(SPECIES, factor);
        int i = 0;
        for (; i < whole(count); i += LANES) {
            store(load(at(from, i)).fma(factors, load(at(to, i))), at(to, i));
        }
        for (; i < count; i++) {
            set(at(to, i), Math.fma(get(at(from, i)), factor, get(at(to, i))));
        }
    }

    /// `out = left + right`.
    static void add(long left, long right, int count, long out) {
        int i = 0;
        for (; i < whole(count); i += LANES) {
            store(load(at(left, i)).add(load(at(right, i))), at(out, i));
        }
        for (; i < count; i++) {
            set(at(out, i), get(at(left, i)) + get(at(right, i)));
        }
    }

    /// `out = row` held within -limit to limit; a NaN stays one.
    static void clamp(long row, int count, float limit, long out) {
        int i = 0;
        for (; i < whole(count); i += LANES) {
            store(load(at(row, i)).min(limit).max(-limit), at(out, i));
        }
        for (; i < count; i++) {
            set(at(out, i), Math.max(Math.min(get(at(row, i)), limit), -limit));
        }
    }

    /// `out = 0` where the row lies beyond the limit.
    static void zeroBeyond(long row, int count, float limit, long out) {
        for (int i = 0; i < count; i++) {
            if (Math.abs(get(at(row, i))) > limit) {
                set(at(out, i), 0f);
            }
        }
    }

    static void fill(long row, int count, float value) {
        var values = FloatVector.broadcast(SPECIES, value);
        int i = 0;
        for (; i < whole(count); i += LANES) {
            store(values, at(row, i));
        }
        for (; i < count; i++) {
            set(at(row, i), value);
        }
    }
}
