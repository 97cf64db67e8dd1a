package dev.sluice.compute.contract;

import dev.sluice.compute.DType;
import dev.sluice.compute.op.Routing;
import java.util.stream.IntStream;

/// A routing made by hand, with sorted tables built the plain way.
///
/// @param picks [tokens, topK]
/// @param weights [tokens, topK]
public record RoutingTwin(Routing routing, int[] picks, World.Twin weights, int tokens, int topK) {
    /// Picks distinct experts at random, each token from `from` to `to`-1 only.
    public static RoutingTwin random(World world, int tokens, int topK, int experts, int from, int to) {
        int[] picks = new int[tokens * topK];
        for (int t = 0; t < tokens; t++) {
            int[] shuffled = IntStream.range(from, to).toArray();
            for (int k = 0; k < topK; k++) {
                int other = k + world.random().nextInt(shuffled.length - k);
                int swapped = shuffled[k];
                shuffled[k] = shuffled[other];
                shuffled[other] = swapped;
                picks[t * topK + k] = shuffled[k];
            }
        }
        return of(world, picks, tokens, topK, experts);
    }

    /// A routing that was never written.
    static Routing poisoned(World world, int tokens, int experts, int topK) {
        return new Routing(world.poisoned("picks", DType.INT32, tokens, topK), world.poisoned("weights", DType.FLOAT32, tokens, topK),
                world.poisoned("offsets", DType.INT32, experts + 1), world.poisoned("rowToken", DType.INT32, (long) tokens * topK),
                world.poisoned("rowOfPick", DType.INT32, tokens, topK));
    }

    static RoutingTwin of(World world, int[] picks, int tokens, int topK, int experts) {
        int[] offsets = new int[experts + 1];
        int[] rowToken = new int[picks.length];
        int[] rowOfPick = new int[picks.length];
        int row = 0;
        for (int e = 0; e < experts; e++) {
            offsets[e] = row;
            for (int pick = 0; pick < picks.length; pick++) {
                if (picks[pick] == e) {
                    rowToken[row] = pick / topK;
                    rowOfPick[pick] = row++;
                }
            }
        }
        offsets[experts] = row;
        var weights = world.float32("weights", 0.5, tokens, topK);
        var routing = new Routing(world.ints("picks", picks, tokens, topK), weights.tensor(),
                world.ints("offsets", offsets, experts + 1), world.ints("rowToken", rowToken, picks.length),
                world.ints("rowOfPick", rowOfPick, tokens, topK));
        return new RoutingTwin(routing, picks, weights, tokens, topK);
    }
}
