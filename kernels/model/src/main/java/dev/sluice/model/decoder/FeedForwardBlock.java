package dev.sluice.model.decoder;

import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.Routing;

/// The second half of a layer: one gated network, or routed experts.
sealed interface FeedForwardBlock permits DenseBlock, SparseBlock {
    /// What the backward pass reads; each kind of block has its own.
    sealed interface Tape permits DenseBlock.DenseTape, SparseBlock.SparseTape {}

    Tape tape(Scope scope, long tokens);

    /// Where the tokens of a micro-batch go, kept from the forward pass to the backward pass; null without a router.
    ///
    /// @param offsets INT32 [experts + 1] to write the expert boundaries to
    Routing routing(Scope scope, long tokens, Tensor offsets);

    /// Numbers that `offsets` of [#routing] must hold; 0 without a router.
    int offsetCount();

    /// @param x [tokens, hidden], normalised
    /// @param pass whether the router chooses or the picks are given
    /// @param outputWanted whether y must be right; else it may be left as scratch
    /// @param y [tokens, hidden], replaced
    void forward(Tensor x, Routing routing, Pass pass, boolean outputWanted, Tape tape, Tensor y, Scope scope);

    /// @param tape the forward pass's; its contents may be destroyed
    /// @param dx [tokens, hidden], replaced
    void backward(Tensor dy, Tensor x, Routing routing, Tape tape, Tensor dx, Scope scope);

    /// A layer runs for the first time, or again in the backward pass, where it must reuse the picks.
    enum Pass {
        FIRST,
        AGAIN
    }
}
