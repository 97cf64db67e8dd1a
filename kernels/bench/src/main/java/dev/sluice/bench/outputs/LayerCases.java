package dev.sluice.bench.outputs;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Weight;
import dev.sluice.compute.op.ExpertOps.Experts;
import dev.sluice.compute.op.ExpertOps.Tape;
import dev.sluice.compute.op.LinearOps.Branch;
import dev.sluice.compute.op.LossOps;
import dev.sluice.compute.probe.HandRouting;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/// Layers with matrices: frozen products and routed experts with LoRA, and the head.
final class LayerCases {
    private static final int RANK = 16;

    private LayerCases() {}

    static List<OutputCase> all() {
        return List.of(linear("linear", 777, 1024, 1536), linear("linear of one input", 777, 1024, 1024, 256, 256),
                experts(513, 512, 384, 12, 4), crossEntropy(513, 512, 4099));
    }

    /// Layers that read the same rows.
    private static OutputCase linear(String name, int rows, int in, int... outs) {
        return new OutputCase(name, "linear", one -> {
            var side = one.side();
            var x = one.input("x", 1, rows, in);
            var dx = one.output("d.x", rows, in);
            var forward = new ArrayList<Branch>();
            var backward = new ArrayList<Branch>();
            for (int i = 0; i < outs.length; i++) {
                var weight = one.input("weight" + i, 1 / Math.sqrt(in), outs[i], in);
                var layer = new Linear(new Weight.Dense(weight), null, one.lora("lora" + i, RANK, outs[i], in));
                var z = side.output("z", rows, RANK);
                forward.add(new Branch(layer, z, one.output("y" + i, rows, outs[i])));
                backward.add(new Branch(layer, z, one.input("d.y" + i, 1, rows, outs[i])));
            }
            one.setting("layers", outs.length);
            var linear = side.backend().linear();
            side.scratched(scratch -> {
                if (outs.length == 1) {
                    var own = forward.getFirst();
                    linear.forward(x, own.layer(), own.z(), own.y(), scratch);
                    linear.backward(backward.getFirst().y(), x, own.z(), own.layer(), dx, Accumulate.REPLACE, scratch);
                } else {
                    linear.forward(x, forward, scratch);
                    linear.backward(x, backward, dx, Accumulate.REPLACE, scratch);
                }
            });
        });
    }

    /// The last expert has no row.
    private static OutputCase experts(int tokens, int hidden, int width, int count, int topK) {
        return new OutputCase("experts", "experts", one -> {
            var side = one.side();
            var layer = new Experts(new Weight.Dense(one.input("gateUp", 1 / Math.sqrt(hidden), count, 2L * width, hidden)),
                    new Weight.Dense(one.input("down", 1 / Math.sqrt(width), count, hidden, width)),
                    one.lora("gateUp", RANK, 2 * width, hidden, count), one.lora("down", RANK, hidden, width, count));
            var routing = HandRouting.random(side, tokens, topK, 0, count - 1, count);
            one.input("picks", routing.picks());
            one.input("weights", routing.weights());
            var x = one.input("x", 1, tokens, hidden);
            var dOut = one.input("d.y", 1, tokens, hidden);
            var tape = new Tape(side.output("tape", routing.rows(), 2L * width), side.output("gateUpZ", routing.rows(), RANK),
                    side.output("downZ", routing.rows(), RANK));
            var y = one.output("y", tokens, hidden);
            var dx = one.output("d.x", tokens, hidden);
            var dWeights = one.output("d.weights", side.poisoned("dWeights", DType.FLOAT32, tokens, topK));
            var experts = side.backend().experts();
            side.scratched(scratch -> experts.forward(x, routing, layer, tape, y, Accumulate.REPLACE, scratch));
            side.scratched(scratch -> experts.backward(dOut, x, routing, layer, tape, dx, Accumulate.REPLACE, dWeights, scratch));
        });
    }

    /// Every third token is ignored; the vocabulary is no multiple of anything.
    private static OutputCase crossEntropy(int tokens, int hidden, int vocabulary) {
        return new OutputCase("cross entropy", "cross_entropy", one -> {
            var side = one.side();
            var x = one.input("x", 1, tokens, hidden);
            var head = new Linear(new Weight.Dense(one.input("head", 2 / Math.sqrt(hidden), vocabulary, hidden)), null, null);
            int[] labels = IntStream.range(0, tokens).map(t -> t % 3 == 1 ? LossOps.IGNORED : side.random().nextInt(vocabulary)).toArray();
            var ids = one.input("labels", side.ints("labels", labels, tokens));
            float factor = 1f / tokens;
            var scale = side.float32("scale", new float[] {factor}, 1);
            one.setting("gradient_scale", factor);
            var nll = one.output("y", side.poisoned("nll", DType.FLOAT32, tokens));
            var dx = one.output("d.x", tokens, hidden);
            side.scratched(scratch -> side.backend().loss().crossEntropy(x, head, ids, scale, nll, null, dx, scratch));
        });
    }
}
