package dev.sluice.compute.probe;

import dev.sluice.compute.Tensor;
import dev.sluice.compute.Workload;
import dev.sluice.compute.op.Routing;
import java.util.SplittableRandom;

/// Routings in which the i-th expert is picked in proportion to `1 / i^skew`, as nearly as distinct picks allow: evenly for 0.
final class SkewedRouting {
    private SkewedRouting() {}

    static Routing of(RandomTensors tensors, int tokens, Workload.Experts experts, double skew) {
        int topK = experts.topK();
        int[] picks = new int[tokens * topK];
        var random = new SplittableRandom(1);
        double[] keys = new double[experts.count()];
        for (int t = 0; t < tokens; t++) {
            for (int e = 0; e < keys.length; e++) {
                keys[e] = -Math.log(-Math.log(random.nextDouble(Double.MIN_NORMAL, 1))) - skew * Math.log(e + 1);
            }
            largest(keys, picks, t * topK, topK);
        }
        var tables = RowTables.of(picks, topK, experts.count());
        return new Routing(matrix(tensors, "picks", picks, tokens, topK), tensors.floats("weights", 1f / topK, tokens, topK),
                tensors.ints("offsets", tables.offsets()), tensors.ints("rowToken", tables.rowToken()),
                matrix(tensors, "rowOfPick", tables.rowOfPick(), tokens, topK));
    }

    /// The largest of logarithms of weights plus Gumbel noise are a draw without replacement. Source: Vieira 2014.
    private static void largest(double[] keys, int[] picks, int at, int count) {
        for (int k = 0; k < count; k++) {
            int best = 0;
            for (int e = 1; e < keys.length; e++) {
                best = keys[e] > keys[best] ? e : best;
            }
            picks[at + k] = best;
            keys[best] = Double.NEGATIVE_INFINITY;
        }
    }

    private static Tensor matrix(RandomTensors tensors, String name, int[] numbers, int rows, int columns) {
        return tensors.ints(name, numbers).reshape(rows, columns);
    }
}
