package dev.sluice.model.decoder;

import java.util.Arrays;
import java.util.Locale;

/// How much of a layer is kept from its forward pass for its backward pass; what is not is computed again. Each level keeps what
/// those before it keep, too. Whatever the level, the numbers are the same, bit for bit.
///
/// No level keeps what is cheap to compute again: outputs of RMSNorm, of gated activations and of rotations.
public enum ActivationLevel {
    /// The layer's routing, and what LoRA has between its two matrices. Its input waits in the host's memory, copied there and back
    /// beside the computation. On a backend whose memory is the host's anyway that is the same as [#INPUT].
    HOST,
    /// And the layer's input.
    INPUT,
    /// And attention's result with its softmax denominators: attention never runs again. A short convolution keeps nothing here, since
    /// all of it but its products is cheap.
    ATTN,
    /// And the residual stream between the two halves: the mixer's output product does not run again.
    MID,
    /// And queries, keys and values as projected (latent attention: its latents too; a short convolution: what its input product gives):
    /// no product of the mixer runs again.
    QKV,
    /// And the router's logits and what goes into the feed-forward layer's activations: no product runs again.
    ALL;

    /// @param name a level in lower case, as settings have it
    /// @throws IllegalArgumentException naming the levels if it is none of them
    public static ActivationLevel named(String name) {
        return Arrays.stream(values()).filter(level -> level.toString().equals(name)).findFirst().orElseThrow(() ->
                new IllegalArgumentException("memory: the policy should be auto or one of " + Arrays.toString(values()) + ", was " + name));
    }

    /// As settings have it.
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }

    boolean keeps(ActivationLevel other) {
        return compareTo(other) >= 0;
    }
}
