package dev.sluice.bench;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Lora;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Segments;
import dev.sluice.compute.Weight;
import dev.sluice.compute.op.AttentionOps;
import dev.sluice.compute.op.ExpertOps;
import dev.sluice.compute.op.OptimizerOps;
import dev.sluice.compute.op.RotaryOps;
import dev.sluice.compute.op.RouterOps;
import dev.sluice.compute.op.Routing;
import java.util.ArrayList;
import java.util.List;

/// The operations of one layer of Qwen3-30B-A3B with LoRA on attention and experts, its head, and AdamW.
final class Qwen3Cases {
    private static final int HIDDEN = 2048;
    private static final int WIDTH = 768;
    private static final int EXPERTS = 128;
    private static final int TOP_K = 8;
    private static final int HEADS = 32;
    private static final int KV_HEADS = 4;
    private static final int HEAD = 128;
    private static final int VOCABULARY = 151_936;
    private static final int OPTIMIZED = 100_000_000;
    private static final double BF16 = 2;

    private final Backend backend;
    private final RandomTensors random;
    private final Scope step;
    private final int tokens;
    private final int rank;
    private final List<Case> cases = new ArrayList<>();

    Qwen3Cases(Backend backend, Scope run, Scope step, int tokens, int rank) {
        this.backend = backend;
        this.random = new RandomTensors(backend, run);
        this.step = step;
        this.tokens = tokens;
        this.rank = rank;
    }

    List<Case> all(Scope run) {
        experts();
        dense("o", HEADS * HEAD, HIDDEN);
        dense("qkv", HIDDEN, (HEADS + 2 * KV_HEADS) * HEAD);
        attention();
        small();
        head();
        optimizer(run);
        return cases;
    }

    private void add(String name, double flops, double bytes, Runnable run) {
        cases.add(new Case(name, tokens, flops, bytes, run));
    }

    private Lora lora(String name, int out, int in, long... experts) {
        return experts.length == 0
                ? new Lora(random.activations(name + ".a", 0.02, rank, in), random.activations(name + ".b", 0.02, out, rank), 1,
                        random.zeros(name + ".gradA", DType.FLOAT32, rank, in), random.zeros(name + ".gradB", DType.FLOAT32, out, rank))
                : new Lora(random.activations(name + ".a", 0.02, experts[0], rank, in), random.activations(name + ".b", 0.02, experts[0], out, rank),
                        1, random.zeros(name + ".gradA", DType.FLOAT32, experts[0], rank, in),
                        random.zeros(name + ".gradB", DType.FLOAT32, experts[0], out, rank));
    }

    private void experts() {
        var x = random.activations("x", 1, tokens, HIDDEN);
        var dOut = random.activations("dOut", 1, tokens, HIDDEN);
        var experts = new ExpertOps.Experts(new Weight.Dense(random.activations("gateUp", 0.02, EXPERTS, 2 * WIDTH, HIDDEN)),
                new Weight.Dense(random.activations("down", 0.03, EXPERTS, HIDDEN, WIDTH)), lora("gateUpLora", 2 * WIDTH, HIDDEN, EXPERTS),
                lora("downLora", HIDDEN, WIDTH, EXPERTS));
        var router = new RouterOps.Router(random.activations("router", 0.02, EXPERTS, HIDDEN), RouterOps.Kind.SOFTMAX_TOPK, TOP_K, true);
        var routing = Routing.allocate(step, tokens, EXPERTS, TOP_K);
        var logits = random.zeros("logits", DType.FLOAT32, tokens, EXPERTS);
        backend.router().route(x, router, logits, routing, step);
        long rows = (long) tokens * TOP_K;
        var tape = ExpertOps.Tape.allocate(step, backend.activationType(), rows, experts);
        var out = random.zeros("out", backend.activationType(), tokens, HIDDEN);
        var dWeights = random.zeros("dWeights", DType.FLOAT32, tokens, TOP_K);
        double weights = BF16 * EXPERTS * 3.0 * WIDTH * HIDDEN;
        double flops = 2.0 * rows * 3 * WIDTH * HIDDEN;
        double activations = BF16 * (2.0 * tokens * HIDDEN + rows * (4.0 * WIDTH + 2.0 * HIDDEN));
        add("route", 2.0 * tokens * EXPERTS * HIDDEN, BF16 * tokens * HIDDEN, () -> backend.router().route(x, router, logits, routing, step));
        add("experts forward", flops, weights + activations,
                () -> backend.experts().forward(x, routing, experts, tape, out, Accumulate.REPLACE, step));
        add("experts backward", flops, weights + activations + BF16 * rows * 4.0 * WIDTH,
                () -> backend.experts().backward(dOut, x, routing, experts, tape, out, Accumulate.REPLACE, dWeights, step));
    }

    private void dense(String name, int in, int out) {
        var layer = new Linear(new Weight.Dense(random.activations(name, 0.02, out, in)), null, lora(name, out, in));
        var x = random.activations(name + ".x", 1, tokens, in);
        var y = random.activations(name + ".y", 1, tokens, out);
        var z = random.zeros(name + ".z", backend.activationType(), tokens, rank);
        var dx = random.zeros(name + ".dx", backend.activationType(), tokens, in);
        double flops = 2.0 * tokens * in * out;
        double bytes = BF16 * ((double) tokens * (in + out) + (double) in * out);
        add(name + " forward", flops, bytes, () -> backend.linear().forward(x, layer, z, y, step));
        add(name + " backward", flops, bytes + BF16 * tokens * (in + out),
                () -> backend.linear().backward(y, x, z, layer, dx, Accumulate.REPLACE, step));
    }

    private void attention() {
        var q = random.activations("q", 1, tokens, HEADS, HEAD);
        var k = random.activations("k", 1, tokens, KV_HEADS, HEAD);
        var v = random.activations("v", 1, tokens, KV_HEADS, HEAD);
        var out = random.activations("o", 1, tokens, HEADS, HEAD);
        var dq = random.zeros("dq", backend.activationType(), tokens, HEADS, HEAD);
        var dk = random.zeros("dk", backend.activationType(), tokens, KV_HEADS, HEAD);
        var dv = random.zeros("dv", backend.activationType(), tokens, KV_HEADS, HEAD);
        var lse = random.zeros("lse", DType.FLOAT32, tokens, HEADS);
        var segments = new Segments(new int[] {0, tokens}, random.ints("starts", 0, tokens));
        var shape = new AttentionOps.Shape(HEADS, KV_HEADS, HEAD, HEAD, (float) (1 / Math.sqrt(HEAD)), 0, null);
        double flops = 4.0 * HEADS * HEAD * tokens * (tokens + 1.0) / 2;
        double bytes = BF16 * tokens * HEAD * (2.0 * HEADS + 2 * KV_HEADS);
        add("attention forward", flops, bytes, () -> backend.attention().forward(q, k, v, segments, shape, out, lse, step));
        add("attention backward", 2.5 * flops, 2 * bytes,
                () -> backend.attention().backward(q, q, k, v, out, lse, segments, shape, dq, dk, dv, step));
        var positions = random.ids("positions", 1024, tokens);
        var cos = random.zeros("cos", DType.FLOAT32, 1024, HEAD / 2);
        add("rotate q", 0, 2 * BF16 * tokens * HEADS * HEAD, () -> backend.rotary().rotate(q, positions, cos, cos,
                RotaryOps.Pairing.HALVES, RotaryOps.Direction.FORWARD));
    }

    private void small() {
        var x = random.activations("norm.x", 1, tokens, HIDDEN);
        var y = random.activations("norm.y", 1, tokens, HIDDEN);
        var weight = random.activations("norm.weight", 1, HIDDEN);
        var rstd = random.zeros("rstd", DType.FLOAT32, tokens);
        double row = BF16 * tokens * HIDDEN;
        add("rms norm", 0, 2 * row, () -> backend.norm().rmsNorm(x, weight, 1e-6f, y, rstd));
        add("rms norm backward", 0, 4 * row, () -> backend.norm().rmsNormBackward(y, x, weight, rstd, y, Accumulate.REPLACE));
        add("add", 0, 3 * row, () -> backend.elementwise().add(x, y, y));
    }

    private void head() {
        var head = new Linear(new Weight.Dense(random.activations("head", 0.02, VOCABULARY, HIDDEN)), null, null);
        var hidden = random.activations("hidden", 1, tokens, HIDDEN);
        var labels = random.ids("labels", VOCABULARY, tokens);
        var nll = random.zeros("nll", DType.FLOAT32, tokens);
        var dHidden = random.zeros("dHidden", backend.activationType(), tokens, HIDDEN);
        double flops = 4.0 * tokens * HIDDEN * VOCABULARY;
        add("cross entropy", flops, BF16 * (2.0 * VOCABULARY * HIDDEN + 3.0 * tokens * VOCABULARY),
                () -> backend.loss().crossEntropy(hidden, head, labels, 1e-3f, nll, null, dHidden, step));
    }

    private void optimizer(Scope run) {
        var arena = backend.optimizer().arena(run, OPTIMIZED);
        var norm = random.zeros("norm", DType.FLOAT32, 1);
        var settings = new OptimizerOps.AdamW(1e-4, 0.9, 0.999, 1e-8, 0.01, 1, 1);
        add("adamw of 1e8", 0, 32.0 * OPTIMIZED, () -> backend.optimizer().update(arena, settings, norm));
    }
}
