package dev.sluice.model.decoder;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.Routing;
import dev.sluice.model.decoder.DecoderWeights.DenseWeights;
import dev.sluice.model.lora.LoraSite.Kind;

/// `down(silu(gate(x)) * up(x))`.
final class DenseBlock implements FeedForwardBlock {
    private final Backend backend;
    private final Linear gate;
    private final Linear up;
    private final Linear down;

    DenseBlock(Backend backend, DenseWeights weights, LoraBinding lora, int layer) {
        this.backend = backend;
        this.gate = LoraBinding.linear(lora, weights.gate(), layer, Kind.GATE);
        this.up = LoraBinding.linear(lora, weights.up(), layer, Kind.UP);
        this.down = LoraBinding.linear(lora, weights.down(), layer, Kind.DOWN);
    }

    /// All [tokens, width], except the [tokens, rank] z's, which are null without LoRA.
    record DenseTape(Tensor gate, Tensor up, Tensor inner, Tensor gateZ, Tensor upZ, Tensor downZ) implements Tape {}

    @Override
    public Tape tape(Scope scope, long tokens) {
        DType type = backend.activationType();
        long width = gate.weight().out();
        return new DenseTape(scope.allocate("mlp.gate", type, tokens, width), scope.allocate("mlp.up", type, tokens, width),
                scope.allocate("mlp.inner", type, tokens, width), z(scope, gate, tokens), z(scope, up, tokens),
                z(scope, down, tokens));
    }

    @Override
    public Routing routing(Scope scope, long tokens, Tensor offsets) {
        return null;
    }

    @Override
    public int offsetCount() {
        return 0;
    }

    @Override
    public void forward(Tensor x, Routing routing, Pass pass, Tape tape, Tensor y, Scope scope) {
        var saved = (DenseTape) tape;
        run(x, gate, saved.gateZ, saved.gate, scope);
        run(x, up, saved.upZ, saved.up, scope);
        backend.elementwise().swiglu(saved.gate, saved.up, saved.inner);
        if (pass == Pass.FIRST || down.lora() != null) {
            run(saved.inner, down, saved.downZ, y, scope);
        }
    }

    @Override
    public void backward(Tensor dy, Tensor x, Routing routing, Tape tape, Tensor dx, Scope scope) {
        var saved = (DenseTape) tape;
        Tensor dInner = scope.allocate("mlp.dInner", backend.activationType(), saved.inner.shape());
        back(dy, saved.inner, saved.downZ, down, dInner, Accumulate.REPLACE, scope);
        backend.elementwise().swigluBackward(dInner, saved.gate, saved.up, saved.gate, saved.up);
        back(saved.gate, x, saved.gateZ, gate, dx, Accumulate.REPLACE, scope);
        back(saved.up, x, saved.upZ, up, dx, Accumulate.ADD, scope);
    }

    private void run(Tensor x, Linear layer, Tensor z, Tensor y, Scope scope) {
        try (Scope scratch = scope.child("mlp")) {
            backend.linear().forward(x, layer, z, y, scratch);
        }
    }

    private void back(Tensor dy, Tensor x, Tensor z, Linear layer, Tensor dx, Accumulate mode, Scope scope) {
        try (Scope scratch = scope.child("mlp")) {
            backend.linear().backward(dy, x, z, layer, dx, mode, scratch);
        }
    }

    private Tensor z(Scope scope, Linear layer, long tokens) {
        return layer.rank() == 0 ? null : scope.allocate("lora.z", backend.activationType(), tokens, layer.rank());
    }
}
