package dev.sluice.model.decoder;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.GatedActivation;
import dev.sluice.compute.op.LinearOps.Branch;
import dev.sluice.compute.op.Routing;
import dev.sluice.model.decoder.DecoderWeights.DenseWeights;
import dev.sluice.model.lora.LoraSite.Kind;
import java.util.List;

/// `down(activation(gate(x), up(x)))`.
final class DenseBlock implements FeedForwardBlock {
    private final Backend backend;
    private final Linear gate;
    private final Linear up;
    private final Linear down;
    private final GatedActivation activation;
    private final LinearPass linears;

    private DenseBlock(Backend backend, Linear gate, Linear up, Linear down, GatedActivation activation) {
        this.backend = backend;
        this.gate = gate;
        this.up = up;
        this.down = down;
        this.activation = activation;
        this.linears = new LinearPass(backend);
    }

    /// The only feed-forward layer of its decoder layer.
    static DenseBlock alone(Backend backend, GatedActivation activation, DenseWeights weights, LoraBinding lora, int layer) {
        return new DenseBlock(backend, LoraBinding.linear(lora, weights.gate(), layer, Kind.GATE),
                LoraBinding.linear(lora, weights.up(), layer, Kind.UP), LoraBinding.linear(lora, weights.down(), layer, Kind.DOWN),
                activation);
    }

    /// The part beside routed experts that every token passes through.
    static DenseBlock shared(Backend backend, GatedActivation activation, DenseWeights weights, LoraBinding lora, int layer) {
        return new DenseBlock(backend, LoraBinding.linear(lora, weights.gate(), layer, Kind.SHARED_GATE),
                LoraBinding.linear(lora, weights.up(), layer, Kind.SHARED_UP),
                LoraBinding.linear(lora, weights.down(), layer, Kind.SHARED_DOWN), activation);
    }

    /// All [tokens, width], except the [tokens, rank] z's, which are null without LoRA.
    record DenseTape(Tensor gate, Tensor up, Tensor inner, Tensor gateZ, Tensor upZ, Tensor downZ) implements Tape {}

    @Override
    public Tape tape(TapeTensors tensors, long tokens) {
        DType type = backend.activationType();
        long width = gate.weight().out();
        return new DenseTape(tensors.take(ActivationLevel.ALL, "mlp.gate", type, tokens, width),
                tensors.take(ActivationLevel.ALL, "mlp.up", type, tokens, width), tensors.scratch("mlp.inner", type, tokens, width),
                linears.z(tensors, gate, tokens), linears.z(tensors, up, tokens), linears.z(tensors, down, tokens));
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
    public void forward(Tensor x, Routing routing, Tape tape, Tensor y, Scope scope) {
        var saved = (DenseTape) tape;
        linears.forward(x, inputs(saved), scope);
        backend.elementwise().gated(activation, saved.gate, saved.up, saved.inner);
        linears.forward(saved.inner, down, saved.downZ, y, scope);
    }

    @Override
    public void recompute(Tensor x, Routing routing, ActivationLevel level, Tape tape, Tensor y, Scope scope) {
        var saved = (DenseTape) tape;
        if (!level.keeps(ActivationLevel.ALL)) {
            linears.recompute(x, inputs(saved), scope);
        }
        backend.elementwise().gated(activation, saved.gate, saved.up, saved.inner);
        if (y != null) {
            linears.recompute(saved.inner, down, saved.downZ, y, scope);
        }
    }

    @Override
    public void backward(Tensor dy, Tensor x, Routing routing, Tape tape, Tensor dx, Scope scope) {
        var saved = (DenseTape) tape;
        Tensor dInner = scope.allocate("mlp.dInner", backend.activationType(), saved.inner.shape());
        linears.backward(dy, saved.inner, saved.downZ, down, dInner, Accumulate.REPLACE, scope);
        backend.elementwise().gatedBackward(activation, dInner, saved.gate, saved.up, saved.gate, saved.up);
        linears.backward(x, inputs(saved), dx, Accumulate.REPLACE, scope);
    }

    /// The two layers of x with their outputs, which backward hold their gradients.
    private List<Branch> inputs(DenseTape saved) {
        return List.of(new Branch(gate, saved.gateZ, saved.gate), new Branch(up, saved.upZ, saved.up));
    }
}
