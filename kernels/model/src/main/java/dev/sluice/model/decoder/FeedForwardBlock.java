package dev.sluice.model.decoder;

import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.Routing;

/// The second half of a layer: one gated network, or routed experts.
sealed interface FeedForwardBlock permits DenseBlock, SparseBlock {
    /// What the backward pass reads; each kind of block has its own.
    sealed interface Tape permits DenseBlock.DenseTape, SparseBlock.SparseTape {}

    Tape tape(TapeTensors tensors, long tokens);

    /// Where the tokens of a micro-batch go, kept from the forward pass to the backward pass; null without a router.
    ///
    /// @param offsets INT32 [experts + 1] to write the expert boundaries to
    Routing routing(Scope scope, long tokens, Tensor offsets);

    /// Numbers that `offsets` of [#routing] must hold; 0 without a router.
    int offsetCount();

    /// @param x [tokens, hidden], normalised
    /// @param routing written
    /// @param y [tokens, hidden], replaced
    void forward(Tensor x, Routing routing, Tape tape, Tensor y, Scope scope);

    /// Computes again what the level did not keep, with the picks of the forward pass.
    ///
    /// @param tape with what the level keeps
    /// @param y [tokens, hidden] for the output, or null where it is not wanted
    void recompute(Tensor x, Routing routing, ActivationLevel level, Tape tape, Tensor y, Scope scope);

    /// @param tape the whole of the forward pass's; its contents may be destroyed
    /// @param dx [tokens, hidden], replaced
    void backward(Tensor dy, Tensor x, Routing routing, Tape tape, Tensor dx, Scope scope);
}
