package dev.sluice.compute.probe;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Lora;
import dev.sluice.compute.Weight;
import dev.sluice.compute.op.LinearOps.Branch;
import dev.sluice.compute.op.LossOps;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/// Frozen products with split LoRA, and the head.
final class LinearTrials {
    private LinearTrials() {}

    static Trial linear(Ragged ragged) {
        int rows = ragged.rows();
        int in = ragged.width();
        int out = ragged.width();
        return linear(rows, in, out, ragged.rank(), ragged.of(0, 1) == 1);
    }

    static Trial linear(int rows, int in, int out, int rank, boolean biased) {
        String sizes = rows + " x " + in + " -> " + out + ", rank " + rank + (biased ? ", bias" : "");
        return new Trial("linear", sizes, side -> {
            var x = side.activations("x", 1, rows, in);
            var lora = side.lora("lora", rank, out, in);
            var layer = new Linear(new Weight.Dense(side.activations("weight", 1 / Math.sqrt(in), out, in)),
                    biased ? side.activations("bias", 1, out) : null, lora);
            var z = side.output("z", rows, rank);
            var y = side.output("y", rows, out);
            side.scratched(scratch -> side.backend().linear().forward(x, layer, z, y, scratch));
            var dy = side.activations("dy", 1, rows, out);
            var dx = side.activations("dx", 1, rows, in);
            side.scratched(scratch -> side.backend().linear().backward(dy, x, z, layer, dx, Accumulate.ADD, scratch));
            var outputs = new ArrayList<>(List.of(new Output("z", z, 1), new Output("y", y, 2), new Output("dx", dx, 2)));
            outputs.addAll(gradients("", lora, 1));
            return outputs;
        });
    }

    static Trial ofOneInput(Ragged ragged) {
        return ofOneInput(ragged.rows(), ragged.width(), List.of(ragged.width(), ragged.width(), ragged.width()), ragged.rank());
    }

    /// Several layers that read the same rows, as queries, keys and values do.
    static Trial ofOneInput(int rows, int in, List<Integer> outs, int rank) {
        return new Trial("linear of one input", rows + " x " + in + " -> " + outs + ", rank " + rank, side -> {
            var x = side.activations("x", 1, rows, in);
            var forward = new ArrayList<Branch>();
            var backward = new ArrayList<Branch>();
            for (int out : outs) {
                var layer = new Linear(new Weight.Dense(side.activations("weight", 1 / Math.sqrt(in), out, in)), null,
                        side.lora("lora", rank, out, in));
                var z = side.output("z", rows, rank);
                forward.add(new Branch(layer, z, side.output("y", rows, out)));
                backward.add(new Branch(layer, z, side.activations("dy", 1, rows, out)));
            }
            side.scratched(scratch -> side.backend().linear().forward(x, forward, scratch));
            var dx = side.output("dx", rows, in);
            side.scratched(scratch -> side.backend().linear().backward(x, backward, dx, Accumulate.REPLACE, scratch));
            var outputs = new ArrayList<>(List.of(new Output("dx", dx, 2 * outs.size())));
            for (int i = 0; i < outs.size(); i++) {
                outputs.add(new Output("z " + i, forward.get(i).z(), 1));
                outputs.add(new Output("y " + i, forward.get(i).y(), 2));
                outputs.addAll(gradients(i + " ", forward.get(i).layer().lora(), 1));
            }
            return outputs;
        });
    }

    static List<Output> gradients(String name, Lora lora, int roundings) {
        return lora == null ? Collections.emptyList()
                : List.of(new Output(name + "gradA", lora.gradA(), roundings), new Output(name + "gradB", lora.gradB(), roundings));
    }

    static Trial crossEntropy(Ragged ragged) {
        int tokens = ragged.rows();
        int hidden = ragged.width();
        int vocabulary = 16 + ragged.upTo(900);
        return crossEntropy(tokens, hidden, vocabulary, ragged.of(0, 8));
    }

    static Trial crossEntropy(int tokens, int hidden, int vocabulary, int rank) {
        return new Trial("cross entropy", tokens + " x " + hidden + " -> " + vocabulary + ", rank " + rank, side -> {
            var x = side.activations("hidden", 1, tokens, hidden);
            var lora = rank == 0 ? null : side.lora("lora", rank, vocabulary, hidden);
            var head = new Linear(new Weight.Dense(side.activations("head", 1 / Math.sqrt(hidden), vocabulary, hidden)), null, lora);
            var labels = side.ints("labels", labels(side, tokens, vocabulary), tokens);
            var nll = side.poisoned("nll", DType.FLOAT32, tokens);
            var z = rank == 0 ? null : side.output("z", tokens, rank);
            var dHidden = side.output("dHidden", tokens, hidden);
            var scale = side.upload(side.poisoned("scale", DType.FLOAT32, 1), new float[] {0.125f});
            side.scratched(scratch -> side.backend().loss().crossEntropy(x, head, labels, scale, nll, z, dHidden, scratch));
            var outputs = new ArrayList<>(List.of(new Output("nll", nll, 2), new Output("dHidden", dHidden, 4)));
            outputs.addAll(gradients("", lora, 4));
            return outputs;
        });
    }

    static Trial score(Ragged ragged) {
        int tokens = ragged.rows();
        int hidden = ragged.of(16, 24, 40, 64);
        int vocabulary = ragged.upTo(900);
        return new Trial("score", tokens + " x " + hidden + " -> " + vocabulary, side -> {
            var head = new Linear(new Weight.Dense(side.small("head", vocabulary, hidden)), null, null);
            var labels = side.ints("labels", labels(side, tokens, vocabulary), tokens);
            var nll = side.poisoned("nll", DType.FLOAT32, tokens);
            var predictions = side.poisoned("predictions", DType.INT32, tokens);
            var x = side.small("hidden", tokens, hidden);
            side.scratched(scratch -> side.backend().loss().score(x, head, labels, nll, predictions, scratch));
            return List.of(new Output("nll", nll, 1), Output.exact("predictions", predictions));
        });
    }

    private static int[] labels(Side side, int tokens, int vocabulary) {
        int[] labels = side.random().ints(tokens, 0, vocabulary).toArray();
        for (int i = 1; i < tokens; i += 3) {
            labels[i] = LossOps.IGNORED;
        }
        return labels;
    }
}
