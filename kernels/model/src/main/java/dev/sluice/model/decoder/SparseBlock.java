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
    public Tape tape(Scope scope, long tokens) {
        return new SparseTape(scope.allocate("router.logits", DType.FLOAT32, tokens, router.experts()),
                ExpertOps.Tape.allocate(scope, backend.activationType(), tokens * router.topK(), experts),
                shared == null ? null : shared.tape(scope, tokens));
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
    public void forward(Tensor x, Routing routing, Pass pass, boolean outputWanted, Tape tape, Tensor y, Scope scope) {
        var saved = (SparseTape) tape;
        try (Scope scratch = scope.child("router")) {
            switch (pass) {
                case FIRST -> backend.router().route(x, router, saved.logits, routing, scratch);
                case AGAIN -> backend.router().logits(x, router, saved.logits, scratch);
            }
        }
        if (shared != null) {
            shared.forward(x, routing, pass, outputWanted, saved.shared, y, scope);
        }
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
