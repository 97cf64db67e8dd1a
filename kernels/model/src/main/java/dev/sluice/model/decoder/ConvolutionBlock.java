package dev.sluice.model.decoder;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Backend;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.ElementwiseOps;
import dev.sluice.compute.op.GatedActivation;
import dev.sluice.model.decoder.DecoderWeights.ConvolutionWeights;
import dev.sluice.model.lora.LoraSite.Kind;

/// `output(behind * convolve(before * value))` with `before, behind, value = input(x)`.
final class ConvolutionBlock implements MixerBlock {
    private final Backend backend;
    private final Linear input;
    private final Tensor taps;
    private final Tensor bias;
    private final Linear output;
    private final LinearPass linears;

    ConvolutionBlock(Backend backend, ConvolutionWeights weights, LoraBinding lora, int layer) {
        this.backend = backend;
        this.input = LoraBinding.linear(lora, weights.input(), layer, Kind.CONVOLUTION_INPUT);
        this.taps = weights.taps();
        this.bias = weights.bias();
        this.output = LoraBinding.linear(lora, weights.output(), layer, Kind.CONVOLUTION_OUTPUT);
        this.linears = new LinearPass(backend);
    }

    /// All [tokens, hidden], except the z's.
    record ConvolutionTape(Tensor before, Tensor behind, Tensor value, Tensor convolved, Tensor gated, Tensor inputZ, Tensor outputZ)
            implements Tape {}

    @Override
    public Tape tape(TapeTensors tensors, long tokens) {
        return new ConvolutionTape(third(tensors, "convolution.before", tokens), third(tensors, "convolution.behind", tokens),
                third(tensors, "convolution.value", tokens),
                tensors.scratch("convolution.convolved", backend.activationType(), tokens, width()),
                tensors.scratch("convolution.gated", backend.activationType(), tokens, width()),
                linears.z(tensors, input, tokens), linears.z(tensors, output, tokens));
    }

    private Tensor third(TapeTensors tensors, String name, long tokens) {
        return tensors.take(ActivationLevel.QKV, name, backend.activationType(), tokens, width());
    }

    private Tensor hidden(Scope scope, String name, long tokens) {
        return scope.allocate(name, backend.activationType(), tokens, output.weight().in());
    }

    @Override
    public void forward(Tensor x, Batch batch, Tape tape, Tensor y, Scope scope) {
        var saved = (ConvolutionTape) tape;
        try (Scope scratch = scope.child("input")) {
            Tensor projected = projected(scratch, x.dim(0));
            linears.forward(x, input, saved.inputZ, projected, scratch);
            cut(projected, saved);
        }
        convolve(batch, saved, scope);
        linears.forward(saved.gated, output, saved.outputZ, y, scope);
    }

    @Override
    public boolean keepsResult(ActivationLevel level) {
        return false;
    }

    @Override
    public void recompute(Tensor x, Batch batch, ActivationLevel level, Tape tape, Scope scope) {
        var saved = (ConvolutionTape) tape;
        if (!level.keeps(ActivationLevel.QKV)) {
            try (Scope scratch = scope.child("input")) {
                Tensor projected = projected(scratch, x.dim(0));
                linears.recompute(x, input, saved.inputZ, projected, scratch);
                cut(projected, saved);
            }
        }
        convolve(batch, saved, scope);
    }

    @Override
    public void output(Tape tape, Tensor y, Scope scope) {
        var saved = (ConvolutionTape) tape;
        linears.recompute(saved.gated, output, saved.outputZ, y, scope);
    }

    private void cut(Tensor projected, ConvolutionTape saved) {
        Tensor[] thirds = {saved.before, saved.behind, saved.value};
        for (int i = 0; i < thirds.length; i++) {
            backend.elementwise().copyColumns(projected, i * width(), thirds[i], 0, width());
        }
    }

    private void convolve(Batch batch, ConvolutionTape saved, Scope scope) {
        try (Scope scratch = scope.child("convolution")) {
            Tensor product = hidden(scratch, "convolution.product", saved.before.dim(0));
            ElementwiseOps ops = backend.elementwise();
            ops.gated(GatedActivation.BILINEAR, saved.before, saved.value, product);
            backend.convolution().forward(product, batch.segments(), taps, bias, saved.convolved);
            ops.gated(GatedActivation.BILINEAR, saved.behind, saved.convolved, saved.gated);
        }
    }

    private Tensor projected(Scope scope, long tokens) {
        return scope.allocate("convolution.projected", backend.activationType(), tokens, input.weight().out());
    }

    private int width() {
        return Math.toIntExact(output.weight().in());
    }

    @Override
    public void backward(Tensor dy, Tensor x, Batch batch, Tape tape, Tensor dx, Scope scope) {
        var saved = (ConvolutionTape) tape;
        Tensor gradient = hidden(scope, "convolution.gradient", x.dim(0));
        Tensor dProduct = hidden(scope, "convolution.dProduct", x.dim(0));
        Tensor projected = projected(scope, x.dim(0));
        ElementwiseOps ops = backend.elementwise();
        linears.backward(dy, saved.gated, saved.outputZ, output, gradient, Accumulate.REPLACE, scope);
        ops.gatedBackward(GatedActivation.BILINEAR, gradient, saved.behind, saved.convolved, saved.behind, saved.convolved);
        backend.convolution().backward(saved.convolved, batch.segments(), taps, dProduct);
        ops.gatedBackward(GatedActivation.BILINEAR, dProduct, saved.before, saved.value, saved.before, saved.value);
        Tensor[] thirds = {saved.before, saved.behind, saved.value};
        for (int i = 0; i < thirds.length; i++) {
            ops.copyColumns(thirds[i], 0, projected, i * width(), width());
        }
        linears.backward(projected, x, saved.inputZ, input, dx, Accumulate.REPLACE, scope);
    }
}
