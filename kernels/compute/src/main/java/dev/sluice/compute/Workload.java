package dev.sluice.compute;

import dev.sluice.compute.op.GatedActivation;

/// The most expensive operations of a run and their shapes in one layer: what backends are compared at, and what tells which
/// kernels must run.
///
/// @param hidden width of the residual stream
/// @param rank of the adapter
/// @param tokens of the largest micro-batch
/// @param attention null where no layer has any
/// @param experts null where no layer has any
public record Workload(int hidden, int rank, int tokens, Attention attention, Experts experts) {
    /// @param window keys that a query sees, 0 for all
    /// @param sinks every head has a logit that joins the softmax without a value
    public record Attention(int heads, int kvHeads, int headDim, int valueDim, int window, boolean sinks) {}

    /// @param width inner width of one expert
    /// @param bias both stacks have biases
    public record Experts(int count, int topK, int width, GatedActivation activation, boolean bias) {}

    public Workload {
        if (hidden < 1 || rank < 1 || tokens < 1) {
            throw new IllegalArgumentException("workload: hidden size, rank and tokens should be at least 1, were " + hidden + ", " + rank
                    + " and " + tokens);
        }
    }

    /// The same with as many tokens as the next power of two, up to `most`: runs that differ little share their measurements.
    public Workload bucket(int most) {
        int rounded = tokens >= most ? most : Math.min(most, tokens == 1 ? 1 : Integer.highestOneBit(tokens - 1) << 1);
        return new Workload(hidden, rank, rounded, attention, experts);
    }

    /// Whether it is the same model with an adapter of the same rank, whatever the tokens.
    public boolean sameShape(Workload other) {
        return other != null && describe(1).equals(new Workload(other.hidden, other.rank, 1, other.attention, other.experts).describe(1));
    }

    /// In words that are equal exactly where the shapes are.
    public String describe() {
        return describe(tokens);
    }

    private String describe(int count) {
        return "hidden " + hidden + (attention == null ? "" : ", attention " + attention.heads + "/" + attention.kvHeads + " x "
                + attention.headDim + "/" + attention.valueDim + (attention.window == 0 ? "" : " window " + attention.window)
                + (attention.sinks ? " sinks" : ""))
                + (experts == null ? "" : ", experts " + experts.topK + " of " + experts.count + " x " + experts.width + " "
                + experts.activation + (experts.bias ? " biases" : "")) + ", rank " + rank + ", tokens " + count;
    }
}
