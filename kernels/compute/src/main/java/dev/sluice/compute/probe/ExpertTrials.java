package dev.sluice.compute.probe;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Weight;
import dev.sluice.compute.op.ExpertOps.Experts;
import dev.sluice.compute.op.ExpertOps.Tape;
import dev.sluice.compute.op.GatedActivation;
import dev.sluice.compute.op.RouterOps.Choice;
import dev.sluice.compute.op.RouterOps.Kind;
import dev.sluice.compute.op.RouterOps.Router;
import dev.sluice.compute.op.Routing;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/// Routing, and the routed experts with split LoRA.
final class ExpertTrials {
    private ExpertTrials() {}

    static Trial route(Ragged ragged) {
        int tokens = ragged.rows();
        int hidden = ragged.of(16, 24, 64);
        int experts = ragged.upTo(128);
        return route(tokens, hidden, experts, ragged.upTo(Math.min(8, experts)));
    }

    static Trial route(int tokens, int hidden, int experts, int topK) {
        return route("route", tokens, hidden, experts, topK,
                side -> new Router(side.small("router", experts, hidden), Kind.SOFTMAX_TOPK, topK, true));
    }

    /// Sigmoid scores, a correction that only chooses, groups, bias and scale: GLM and DeepSeek.
    static Trial routeInGroups(Ragged ragged) {
        int tokens = ragged.rows();
        int hidden = ragged.of(16, 24, 64);
        int groups = ragged.of(1, 2, 4);
        int experts = groups * (1 + ragged.upTo(15));
        int kept = ragged.upTo(groups);
        int topK = ragged.upTo(Math.min(8, kept * experts / groups));
        return route("route in groups", tokens, hidden, experts, topK, side -> new Router(side.small("router", experts, hidden),
                side.small("bias", experts), Kind.SIGMOID_TOPK, new Choice(side.float32("correction", 0.3, experts), groups, kept), topK, true,
                1e-20f, 0, 2.5f));
    }

    private static Trial route(String name, int tokens, int hidden, int experts, int topK, Function<Side, Router> routers) {
        return new Trial(name, tokens + " x " + hidden + ", " + topK + " of " + experts, side -> {
            var router = routers.apply(side);
            var x = side.small("x", tokens, hidden);
            var logits = side.poisoned("logits", DType.FLOAT32, tokens, experts);
            var routing = new Routing(side.poisoned("picks", DType.INT32, tokens, topK), side.poisoned("weights", DType.FLOAT32, tokens, topK),
                    side.poisoned("offsets", DType.INT32, experts + 1), side.poisoned("rowToken", DType.INT32, (long) tokens * topK),
                    side.poisoned("rowOfPick", DType.INT32, tokens, topK));
            side.scratched(scratch -> side.backend().router().route(x, router, logits, routing, scratch));
            var again = side.poisoned("logits again", DType.FLOAT32, tokens, experts);
            side.scratched(scratch -> side.backend().router().logits(x, router, again, scratch));
            return List.of(Output.exact("logits", logits), Output.exact("logits again", again), Output.exact("picks", routing.picks()),
                    new Output("weights", routing.weights(), 0), Output.exact("offsets", routing.offsets()),
                    Output.exact("rowToken", routing.rowToken()), Output.exact("rowOfPick", routing.rowOfPick()));
        });
    }

    static Trial routerBackward(Ragged ragged) {
        int tokens = ragged.rows();
        int hidden = ragged.width();
        int experts = 2 + ragged.upTo(62);
        int topK = ragged.upTo(Math.min(8, experts));
        return new Trial("router backward", tokens + " x " + hidden + ", " + topK + " of " + experts, side -> {
            var router = new Router(side.activations("router", 0.3, experts, hidden), Kind.SOFTMAX_TOPK, topK, false);
            float[] scores = side.uniform(1, tokens, experts);
            var logits = side.float32("logits", scores, tokens, experts);
            var routing = HandRouting.softmax(side, scores, tokens, topK, experts);
            var dx = side.activations("dx", 1, tokens, hidden);
            side.scratched(scratch -> side.backend().router().backward(side.float32("dWeights", 1, tokens, topK), logits, routing, router, dx,
                    Accumulate.ADD, scratch));
            return List.of(new Output("dx", dx, 2));
        });
    }

    static Trial experts(Ragged ragged) {
        int experts = ragged.upTo(12);
        return of("experts", ragged, experts, 0, experts, false);
    }

    /// All rows in one of them.
    static Trial oneExpert(Ragged ragged) {
        return of("one expert of many", ragged, 5, 2, 3, false);
    }

    /// Biases and a clamped activation: gpt-oss.
    static Trial biasedExperts(Ragged ragged) {
        int experts = ragged.upTo(12);
        return of("experts with biases", ragged, experts, 0, experts, true);
    }

    private static Trial of(String name, Ragged ragged, int experts, int from, int to, boolean biased) {
        int tokens = ragged.rows();
        int hidden = ragged.width();
        int width = ragged.width();
        int rank = ragged.rank();
        int topK = ragged.upTo(Math.min(4, to - from));
        return of(name, tokens, hidden, width, rank, experts, topK, biased,
                side -> HandRouting.random(side, tokens, topK, from, to, experts));
    }

    /// One of six experts without a row, one with a single row.
    static Trial unevenExperts(int tokens, int hidden, int width, int rank) {
        return of("experts", tokens, hidden, width, rank, HandRouting.UNEVEN_EXPERTS, HandRouting.UNEVEN_PICKS, false,
                side -> HandRouting.uneven(side, tokens));
    }

    private static Trial of(String name, int tokens, int hidden, int width, int rank, int experts, int topK, boolean biased,
            Function<Side, Routing> routings) {
        String sizes = tokens + " x " + hidden + " -> " + width + ", " + topK + " of " + experts + ", rank " + rank;
        return new Trial(name, sizes, side -> {
            var gateUp = side.lora("gateUpLora", rank, 2 * width, hidden, experts);
            var down = side.lora("downLora", rank, hidden, width, experts);
            var layer = new Experts(new Weight.Dense(side.activations("gateUp", 1 / Math.sqrt(hidden), experts, 2L * width, hidden)),
                    new Weight.Dense(side.activations("down", 1 / Math.sqrt(width), experts, hidden, width)),
                    biased ? side.activations("gateUpBias", 1, experts, 2L * width) : null,
                    biased ? side.activations("downBias", 1, experts, hidden) : null,
                    biased ? GatedActivation.CLAMPED_SWIGLU : GatedActivation.SWIGLU, gateUp, down);
            var routing = routings.apply(side);
            var x = side.activations("x", 1, tokens, hidden);
            var tape = new Tape(side.output("tape", routing.rows(), 2L * width), side.output("gateUpZ", routing.rows(), rank),
                    side.output("downZ", routing.rows(), rank));
            var out = side.output("out", tokens, hidden);
            side.scratched(scratch -> side.backend().experts().forward(x, routing, layer, tape, out, Accumulate.REPLACE, scratch));
            var dOut = side.activations("dOut", 1, tokens, hidden);
            var dx = side.activations("dx", 1, tokens, hidden);
            var dWeights = side.poisoned("dWeights", DType.FLOAT32, tokens, topK);
            side.scratched(scratch -> side.backend().experts().backward(dOut, x, routing, layer, tape, dx, Accumulate.ADD, dWeights, scratch));
            var outputs = new ArrayList<>(List.of(new Output("out", out, 5), new Output("dx", dx, 6), new Output("dWeights", dWeights, 4)));
            outputs.addAll(LinearTrials.gradients("gateUp.", gateUp, 5));
            outputs.addAll(LinearTrials.gradients("down.", down, 4));
            return outputs;
        });
    }
}
