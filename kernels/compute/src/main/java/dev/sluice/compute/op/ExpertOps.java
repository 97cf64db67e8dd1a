package dev.sluice.compute.op;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lora;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;

/// The routed feed-forward layers, grouped by expert, with split LoRA: for no expert is W + BA ever built.
/// Source: Gale et al. 2022 (grouping); Hu et al. 2021 (LoRA).
public interface ExpertOps {
    /// A stack of gated experts.
    ///
    /// @param gateUp [experts, 2 * width, hidden]: rows of gate_proj, then rows of up_proj
    /// @param down [experts, hidden, width]
    /// @param gateUpBias [experts, 2 * width], or null
    /// @param downBias [experts, hidden], or null
    /// @param gateUpLora adapter of gate_up_proj, or null
    /// @param downLora adapter of down_proj, or null
    record Experts(Weight gateUp, Weight down, Tensor gateUpBias, Tensor downBias, GatedActivation activation, Lora gateUpLora,
            Lora downLora) {
        /// SwiGLU experts without biases.
        public Experts(Weight gateUp, Weight down, Lora gateUpLora, Lora downLora) {
            this(gateUp, down, null, null, GatedActivation.SWIGLU, gateUpLora, downLora);
        }

        public int gateUpRank() {
            return gateUpLora == null ? 0 : gateUpLora.rank();
        }

        public int downRank() {
            return downLora == null ? 0 : downLora.rank();
        }
    }

    /// What the backward pass reads, one row per routed row.
    ///
    /// @param gateUp [rows, 2 * width], before the activation
    /// @param gateUpZ [rows, rank], or null without LoRA
    /// @param downZ [rows, rank], or null without LoRA
    record Tape(Tensor gateUp, Tensor gateUpZ, Tensor downZ) {
        public static Tape allocate(Scope scope, DType dtype, long rows, Experts experts) {
            return new Tape(
                    scope.allocate("experts.gateUp", dtype, rows, experts.gateUp().out()),
                    z(scope, "experts.gateUpZ", dtype, rows, experts.gateUpRank()),
                    z(scope, "experts.downZ", dtype, rows, experts.downRank()));
        }

        private static Tensor z(Scope scope, String name, DType dtype, long rows, int rank) {
            return rank == 0 ? null : scope.allocate(name, dtype, rows, rank);
        }
    }

    /// `out[t] (+)= sum over picks k of weights[t,k] * expert(picks[t,k], x[t])`, summed in pick order.
    ///
    /// @param x [tokens, hidden]
    /// @param out [tokens, hidden]
    void forward(Tensor x, Routing routing, Experts experts, Tape tape, Tensor out, Accumulate mode, Scope scratch);

    /// Computes the tape's gateUp again, bit for bit, from x and the tape's gateUpZ. With z of both adapters kept that is all that
    /// [#backward] lacks: neither the activation nor the down product nor the sum over picks runs.
    ///
    /// @param x [tokens, hidden], the forward pass's
    /// @param tape with the forward pass's gateUpZ
    void recompute(Tensor x, Routing routing, Experts experts, Tape tape, Scope scratch);

    /// Gradients of x, of the routing weights (exact, undivided) and of the adapters.
    ///
    /// @param dOut [tokens, hidden]
    /// @param tape the forward pass's tape; its contents are destroyed
    /// @param dx [tokens, hidden]
    /// @param dWeights FLOAT32 [tokens, topK], replaced
    void backward(Tensor dOut, Tensor x, Routing routing, Experts experts, Tape tape, Tensor dx, Accumulate mode,
            Tensor dWeights, Scope scratch);
}
