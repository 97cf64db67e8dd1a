package dev.sluice.model.decoder;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.ExpertOps;
import dev.sluice.compute.op.RouterOps;
import dev.sluice.compute.op.Routing;
import dev.sluice.model.config.FeedForwardConfig.RouterConfig;
import dev.sluice.model.config.FeedForwardConfig.SparseConfig;
import dev.sluice.model.decoder.DecoderWeights.RouterWeights;
import dev.sluice.model.decoder.DecoderWeights.SparseWeights;
import dev.sluice.model.lora.LoraSite.Kind;

/// A router and its experts, and a shared part if there is one. The router is frozen; gradients flow through its weights
/// to what lies below.
final class SparseBlock implements FeedForwardBlock {
    private final Backend backend;
    private final RouterOps.Router router;
    private final ExpertOps.Experts experts;
    private final DenseBlock shared;

    SparseBlock(Backend backend, SparseConfig config, SparseWeights weights, LoraBinding lora, int layer) {
        this.backend = backend;
        this.router = router(config.router(), weights.router());
        this.experts = new ExpertOps.Experts(weights.experts().gateUp(), weights.experts().down(),
                weights.experts().gateUpBias(), weights.experts().downBias(), config.stack().activation(),
                LoraBinding.lora(lora, layer, Kind.EXPERTS_GATE_UP), LoraBinding.lora(lora, layer, Kind.EXPERTS_DOWN));
        this.shared = config.shared() == null ? null
                : DenseBlock.shared(backend, config.shared().activation(), weights.shared(), lora, layer);
    }

    private static RouterOps.Router router(RouterConfig config, RouterWeights weights) {
        return new RouterOps.Router(weights.weight(), weights.bias(), config.kind(),
                new RouterOps.Choice(weights.correction(), config.groups(), config.keptGroups()), config.topK(),
                config.normalize(), config.epsilon(), config.floor(), config.scale());
    }

    /// @param logits FLOAT32 [tokens, experts]
    /// @param shared null without a shared part
    record SparseTape(Tensor logits, ExpertOps.Tape experts, FeedForwardBlock.Tape shared) implements Tape {}

    @Override
    public Tape tape(TapeTensors tensors, long tokens) {
        long rows = tokens * router.topK();
        return new SparseTape(tensors.take(ActivationLevel.ALL, "router.logits", DType.FLOAT32, tokens, router.experts()),
                new ExpertOps.Tape(tensors.take(ActivationLevel.ALL, "experts.gateUp", backend.activationType(), rows,
                        experts.gateUp().out()), z(tensors, "experts.gateUpZ", rows, experts.gateUpRank()),
                        z(tensors, "experts.downZ", rows, experts.downRank())),
                shared == null ? null : shared.tape(tensors, tokens));
    }

    private Tensor z(TapeTensors tensors, String name, long rows, int rank) {
        return rank == 0 ? null : tensors.take(ActivationLevel.HOST, name, backend.activationType(), rows, rank);
    }

    @Override
    public Routing routing(Scope scope, long tokens, Tensor offsets) {
        return new Routing(
                scope.allocate("router.picks", DType.INT32, tokens, router.topK()),
                scope.allocate("router.weights", DType.FLOAT32, tokens, router.topK()),
                offsets,
                scope.allocate("router.rowToken", DType.INT32, tokens * router.topK()),
                scope.allocate("router.rowOfPick", DType.INT32, tokens, router.topK()));
    }

    @Override
    public int offsetCount() {
        return router.experts() + 1;
    }

    @Override
    public void forward(Tensor x, Routing routing, Tape tape, Tensor y, Scope scope) {
        var saved = (SparseTape) tape;
        try (Scope scratch = scope.child("router")) {
            backend.router().route(x, router, saved.logits, routing, scratch);
        }
        if (shared != null) {
            shared.forward(x, routing, saved.shared, y, scope);
        }
        experts(x, routing, saved, y, scope);
    }

    @Override
    public void recompute(Tensor x, Routing routing, ActivationLevel level, Tape tape, Tensor y, Scope scope) {
        var saved = (SparseTape) tape;
        boolean kept = level.keeps(ActivationLevel.ALL);
        if (shared != null) {
            shared.recompute(x, routing, level, saved.shared, y, scope);
        }
        if (!kept) {
            try (Scope scratch = scope.child("router")) {
                backend.router().logits(x, router, saved.logits, scratch);
            }
        }
        if (y != null) {
            experts(x, routing, saved, y, scope);
        } else if (!kept) {
            try (Scope scratch = scope.child("experts")) {
                backend.experts().recompute(x, routing, experts, saved.experts, scratch);
            }
        }
    }

    private void experts(Tensor x, Routing routing, SparseTape saved, Tensor y, Scope scope) {
        try (Scope scratch = scope.child("experts")) {
            backend.experts().forward(x, routing, experts, saved.experts, y, mode(), scratch);
        }
    }

    /// The experts come after the shared part and add to it.
    private Accumulate mode() {
        return shared == null ? Accumulate.REPLACE : Accumulate.ADD;
    }

    @Override
    public void backward(Tensor dy, Tensor x, Routing routing, Tape tape, Tensor dx, Scope scope) {
        var saved = (SparseTape) tape;
        Tensor dWeights = scope.allocate("router.dWeights", DType.FLOAT32, routing.weights().shape());
        if (shared != null) {
            try (Scope own = scope.child("shared")) {
                shared.backward(dy, x, routing, saved.shared, dx, own);
            }
        }
        try (Scope scratch = scope.child("experts")) {
            backend.experts().backward(dy, x, routing, experts, saved.experts, dx, mode(), dWeights, scratch);
        }
        try (Scope scratch = scope.child("router")) {
            backend.router().backward(dWeights, saved.logits, routing, router, dx, Accumulate.ADD, scratch);
        }
    }
}
