package dev.sluice.compute.op;

import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;

/// Cross entropy straight from hidden states, in chunks of tokens: the [tokens, vocabulary] logits never exist whole.
public interface LossOps {
    /// Label of a token that is not trained on.
    int IGNORED = -100;

    /// Negative log-likelihood of each label, and its gradient.
    ///
    /// @param hidden [tokens, hidden], after the final norm
    /// @param head [vocabulary, hidden]
    /// @param labels INT32 [tokens]: the next token's id, or [#IGNORED]
    /// @param gradientScale FLOAT32 [1], what every token's gradient is multiplied by: 1 / trained tokens of the optimiser step. It
    ///     lies on the device because a recorded step is replayed with other numbers
    /// @param nll FLOAT32 [tokens], 0 where ignored
    /// @param headZ [tokens, rank] scratch of the head's LoRA, or null without one
    /// @param dHidden [tokens, hidden], replaced; 0 where ignored
    void crossEntropy(Tensor hidden, Linear head, Tensor labels, Tensor gradientScale, Tensor nll, Tensor headZ,
            Tensor dHidden, Scope scratch);

    /// Scores labels without gradients.
    ///
    /// @param nll FLOAT32 [tokens], 0 where ignored
    /// @param predictions INT32 [tokens]: the most likely id of every token, ignored ones too; ties to the lower id
    void score(Tensor hidden, Linear head, Tensor labels, Tensor nll, Tensor predictions, Scope scratch);
}
