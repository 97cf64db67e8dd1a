package dev.sluice.model.decoder;

import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;

/// The first half of a layer: attention or a short convolution.
sealed interface MixerBlock permits GroupedAttention, LatentAttention, ConvolutionBlock {
    /// What the backward pass reads; each kind of block has its own.
    sealed interface Tape permits GroupedAttention.GroupedTape, LatentAttention.LatentTape, ConvolutionBlock.ConvolutionTape {}

    Tape tape(TapeTensors tensors, long tokens);

    /// @param x [tokens, hidden], normalised
    /// @param y [tokens, hidden]
    void forward(Tensor x, Batch batch, Tape tape, Tensor y, Scope scope);

    /// Whether [#output] can do with what is kept, so that the rest of the tape may be computed later.
    boolean keepsResult(ActivationLevel level);

    /// Computes again what the level did not keep, except y.
    ///
    /// @param x the forward pass's input
    /// @param tape with what the level keeps
    void recompute(Tensor x, Batch batch, ActivationLevel level, Tape tape, Scope scope);

    /// Computes y again from the mixer's result.
    ///
    /// @param y [tokens, hidden]
    void output(Tape tape, Tensor y, Scope scope);

    /// @param dy [tokens, hidden]
    /// @param x the forward pass's input
    /// @param tape the whole of the forward pass's; its contents may be destroyed
    /// @param dx [tokens, hidden], replaced, or null where nothing below is trained
    void backward(Tensor dy, Tensor x, Batch batch, Tape tape, Tensor dx, Scope scope);
}
