package dev.sluice.compute.op;

import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;

/// Where every token goes. Kept from the forward pass: a recomputed layer must reuse the picks, never choose again.
///
/// Routed rows are sorted by expert and, within an expert, by token: row r belongs to token `rowToken[r]`, and expert e
/// owns rows `offsets[e]` to `offsets[e+1]-1`. There are exactly tokens * topK rows, without padding.
///
/// @param picks INT32 [tokens, topK], expert ids
/// @param weights FLOAT32 [tokens, topK], factor of each pick
/// @param offsets INT32 [experts + 1]
/// @param rowToken INT32 [tokens * topK], routed row to token
/// @param rowOfPick INT32 [tokens, topK], pick to routed row
public record Routing(Tensor picks, Tensor weights, Tensor offsets, Tensor rowToken, Tensor rowOfPick) {
    public static Routing allocate(Scope scope, long tokens, int experts, int topK) {
        return new Routing(
                scope.allocate("router.picks", DType.INT32, tokens, topK),
                scope.allocate("router.weights", DType.FLOAT32, tokens, topK),
                scope.allocate("router.offsets", DType.INT32, experts + 1L),
                scope.allocate("router.rowToken", DType.INT32, tokens * topK),
                scope.allocate("router.rowOfPick", DType.INT32, tokens, topK));
    }

    public long tokens() {
        return picks.dim(0);
    }

    public int topK() {
        return Math.toIntExact(picks.dim(1));
    }

    public long rows() {
        return rowToken.elements();
    }
}
