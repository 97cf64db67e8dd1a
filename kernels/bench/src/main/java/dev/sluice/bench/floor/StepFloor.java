package dev.sluice.bench.floor;

import dev.sluice.compute.DType;
import dev.sluice.compute.op.OptimizerState;
import java.util.ArrayList;
import java.util.List;

/// The work of one LoRA training step that keeps all activations it can use: the least that any implementation must do. One entry
/// for each kernel that a good one would have, in the order in which they run; each kernel depends on the one before, so their
/// floors add up. Weights are plain: unpacking packed ones is not in it.
///
/// Operations: a linear layer 2 rows in out; its adapter 2 rank (in + out) forward and twice that backward; attention 2 pairs heads
/// (key + value width) forward and 2 pairs heads (3 key + 2 value width) backward; the head twice, for logits and their gradient.
/// Bytes: inputs and outputs once; a gathered input counts as the tensor it is gathered from; of the experts, those that a uniform
/// router can be expected to hit.
public final class StepFloor {
    private static final double FLOAT = 4;
    private static final double ADAMW_FLOPS = 12;

    private final ModelShape model;
    private final double tokens;
    private final double documents;
    private final Targets targets;
    private final double rank;
    private final double expertRank;
    private final double element;
    private final DType type;
    private final OptimizerState state;
    private final double gradient;
    private final double rows;
    private final double hit;
    private final double stream;
    private final List<Work> work = new ArrayList<>();

    private StepFloor(ModelShape model, int tokens, int documents, Targets targets, int rank, DType type, OptimizerState state) {
        this.model = model;
        this.tokens = tokens;
        this.documents = documents;
        this.targets = targets;
        this.rank = rank;
        this.expertRank = switch (targets) {
            case ALL -> rank;
            case ATTENTION -> 0;
        };
        this.type = type;
        this.state = state;
        this.element = type.bytes();
        this.gradient = switch (state) {
            case EXACT -> FLOAT;
            case LEAN -> element;
        };
        this.rows = (double) tokens * model.topK();
        this.hit = model.experts() == 0 ? 0 : model.experts() * (1 - Math.pow(1 - model.topK() / (double) model.experts(), tokens));
        this.stream = (double) tokens * model.hidden() * element;
    }

    /// @param documents packed into the step, of equal length
    /// @param type of weights and activations
    /// @param state what the optimiser keeps of every parameter, and the gradients' width with it
    public static List<Work> of(ModelShape model, int tokens, int documents, Targets targets, int rank, DType type, OptimizerState state) {
        var floor = new StepFloor(model, tokens, documents, targets, rank, type, state);
        floor.forward();
        floor.head();
        floor.backward();
        floor.optimizer();
        return List.copyOf(floor.work);
    }

    /// Seconds below which such a step cannot run.
    public static double seconds(List<Work> step, Ceiling ceiling) {
        return step.stream().mapToDouble(work -> work.seconds(ceiling)).sum();
    }

    private void add(String name, double times, double flops, double bytes) {
        if (times > 0) {
            work.add(new Work(name, times * flops, times * bytes));
        }
    }

    private void forward() {
        int layers = model.layers();
        add("embed", 1, 0, 2 * stream);
        model.inputs().forEach(one -> linear(one.name(), one.in(), one.out(), one.slots(), 0));
        add("qk norm, rope", layers, 0, 2 * heads());
        attention("attention", model.keyWidth() + model.valueWidth(), attentionBytes());
        linear("o", model.outputRow(), model.hidden(), 1, stream);
        add("norm, router", layers, 2 * tokens * model.hidden() * model.experts(),
                2 * stream + (double) model.experts() * model.hidden() * element + rows * 8);
        add("permute", model.sparseLayers(), 0, rows * 16);
        experts();
        gated("shared", model.sharedWidth(), model.sparseLayers());
        gated("dense", model.denseWidth(), model.denseLayers());
        add("combine, norm", layers, 0, rowBytes(model.hidden()) + 3 * stream);
    }

    private void experts() {
        double h = model.hidden();
        double w = model.width();
        int layers = model.sparseLayers();
        int adaptedLayers = expertRank == 0 ? 0 : layers;
        add("experts.gate_up.z", adaptedLayers, 2 * rows * h * expertRank, stream + hit * expertRank * h * element + rowBytes(expertRank));
        add("experts.gate_up", layers, 2 * rows * (h + expertRank) * 2 * w, stream + hit * 2 * w * h * element + rowBytes(3 * w + expertRank));
        add("experts.down.z", adaptedLayers, 2 * rows * w * expertRank, rowBytes(w + expertRank) + hit * expertRank * w * element);
        add("experts.down", layers, 2 * rows * (w + expertRank) * h, rowBytes(w + h) + hit * h * w * element);
    }

    private void head() {
        double logits = tokens * model.vocabulary() * element;
        double weights = (double) model.vocabulary() * model.hidden() * element;
        double flops = 2 * tokens * model.hidden() * model.vocabulary();
        add("head.logits", 1, flops, stream + weights + logits);
        add("head.gradient", 1, flops, stream + weights + logits);
    }

    private void backward() {
        int layers = model.layers();
        add("norms again", layers, 0, 4 * stream);
        expertsBackward();
        gatedBackward("shared", model.sharedWidth(), model.sparseLayers());
        gatedBackward("dense", model.denseWidth(), model.denseLayers());
        add("combine, router, norm backward", layers, 2 * tokens * model.hidden() * model.experts(), rowBytes(model.hidden()) + 3 * stream);
        linear("o.backward", model.hidden(), model.outputRow(), 1, 0);
        adapterGradients(model.output());
        add("attention.delta", layers, 0, 2 * tokens * model.outputRow() * element);
        attention("attention.backward", 3 * model.keyWidth() + 2 * model.valueWidth(), 2 * attentionBytes());
        add("qk norm, rope backward", layers, 0, 3 * heads());
        model.inputs().reversed().forEach(one -> {
            linear(one.name() + ".backward", one.out(), one.in(), 1, 0);
            adapterGradients(one);
        });
        add("norm backward", layers, 0, 4 * stream);
    }

    private void expertsBackward() {
        double h = model.hidden();
        double w = model.width();
        int layers = model.sparseLayers();
        int adaptedLayers = expertRank == 0 ? 0 : layers;
        add("experts.down.dz, dB", adaptedLayers, 4 * rows * h * expertRank,
                stream + hit * expertRank * h * (2 * element + gradient) + 2 * rowBytes(expertRank));
        add("experts.down.backward, swiglu", layers, 2 * rows * (h + expertRank) * w, stream + hit * h * w * element + rowBytes(5 * w));
        add("experts.down.dA", adaptedLayers, 2 * rows * w * expertRank, rowBytes(w + expertRank) + hit * expertRank * w * gradient);
        add("experts.gate_up.dz, dB", adaptedLayers, 8 * rows * w * expertRank,
                rowBytes(2 * w + 2 * expertRank) + hit * expertRank * 2 * w * (element + gradient));
        add("experts.gate_up.backward", layers, 2 * rows * (2 * w + expertRank) * h, rowBytes(2 * w + h) + hit * 2 * w * h * element);
        add("experts.gate_up.dA", adaptedLayers, 2 * rows * h * expertRank, stream + rowBytes(expertRank) + hit * expertRank * h * gradient);
    }

    private void optimizer() {
        long parameters = model.loraParameters(targets, (int) rank);
        add("clip, adamw", 1, ADAMW_FLOPS * parameters, 2.0 * state.bytes(parameters, type));
    }

    /// A dense product with its adapter inside, and the narrow product before it.
    private void linear(String name, double in, double out, double slots, double extraBytes) {
        add(name, model.layers(), 2 * tokens * (in + rank) * out, (tokens * (in + out) + in * out) * element + extraBytes);
        add(name + ".z", model.layers(), 2 * tokens * in * rank * slots, (tokens * in + (in + tokens) * rank * slots) * element);
    }

    private void adapterGradients(Projection one) {
        double adapters = (double) one.in() * one.slots() + one.out();
        add(one.name() + ".dA, dB", model.layers(), 2 * tokens * rank * adapters,
                (tokens * (one.in() + one.out()) + 2 * tokens * rank * one.slots()) * element + rank * adapters * gradient);
    }

    private void attention(String name, double widths, double bytes) {
        int windowed = model.windowedLayers();
        add(name, model.layers() - windowed, 2 * ModelShape.pairs(tokens, documents, 0) * model.heads() * widths, bytes);
        add(name + ".window", windowed, 2 * ModelShape.pairs(tokens, documents, model.window()) * model.heads() * widths, bytes);
    }

    private void gated(String name, double width, int layers) {
        if (width > 0) {
            double weights = width * model.hidden() * element;
            add(name + ".gate_up", layers, 4 * tokens * model.hidden() * width, stream + 2 * weights + tokens * width * element);
            add(name + ".down", layers, 2 * tokens * model.hidden() * width, tokens * width * element + weights + stream);
        }
    }

    private void gatedBackward(String name, double width, int layers) {
        if (width > 0) {
            add(name + ".backward", layers, 6 * tokens * model.hidden() * width,
                    (3 * width * model.hidden() + 5 * tokens * width) * element + 2 * stream);
        }
    }

    private double heads() {
        return tokens * (model.queryRow() + model.keyRow()) * element;
    }

    private double attentionBytes() {
        return tokens * (model.queryRow() + model.keyRow() + model.valueRow() + model.outputRow()) * element
                + tokens * model.heads() * FLOAT;
    }

    /// Bytes of one routed row each of that width.
    private double rowBytes(double width) {
        return rows * width * element;
    }
}
