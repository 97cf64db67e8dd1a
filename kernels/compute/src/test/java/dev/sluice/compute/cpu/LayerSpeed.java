package dev.sluice.compute.cpu;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Segments;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.compute.contract.World;
import dev.sluice.compute.op.AttentionOps.Shape;
import dev.sluice.compute.op.ExpertOps.Experts;
import dev.sluice.compute.op.ExpertOps.Tape;
import dev.sluice.compute.op.OptimizerOps.AdamW;
import dev.sluice.compute.op.OptimizerState;
import dev.sluice.compute.op.RotaryOps.Direction;
import dev.sluice.compute.op.RotaryOps.Pairing;
import dev.sluice.compute.op.RouterOps.Kind;
import dev.sluice.compute.op.RouterOps.Router;
import dev.sluice.compute.op.Routing;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/// Prints milliseconds per operation of one layer of a small qwen3_moe: 2,048 tokens, hidden 128, 4 query and 2
/// key-value heads of 32, 16 experts of width 128, 4 picks, rank 16; arguments: threads, document length.
final class LayerSpeed {
    private static final int TOKENS = 2048;
    private static final int HIDDEN = 128;
    private static final int EXPERTS = 16;
    private static final int PICKS = 4;
    private static final int RANK = 16;
    private static final int VOCABULARY = 1280;
    private static final int ROUNDS = 60;

    private final Map<String, double[]> times = new LinkedHashMap<>();
    private final World world;
    private int round;

    private LayerSpeed(World world) {
        this.world = world;
    }

    public static void main(String[] arguments) {
        int threads = Integer.parseInt(arguments[0]);
        int length = Integer.parseInt(arguments[1]);
        Gemm gemm = arguments.length > 2 && arguments[2].equals("vectors") ? new FewRows(new VectorGemm()) : CpuProvider.gemm();
        try (var backend = new CpuBackend(threads, gemm); var world = new World(backend, 0, 1)) {
            System.out.println(backend.description());
            new LayerSpeed(world).run(length);
        }
    }

    private void time(String name, Runnable operation) {
        long start = System.nanoTime();
        operation.run();
        times.computeIfAbsent(name, _ -> new double[ROUNDS])[round] = (System.nanoTime() - start) * 1e-6;
    }

    private Linear linear(int out, int in) {
        return new Linear(new Weight.Dense(world.activations("w", 0.1, out, in).tensor()), null, world.lora("lora", RANK, out, in, 2).lora());
    }

    private void run(int length) {
        var b = world.backend();
        int[] lengths = new int[TOKENS / length];
        Arrays.fill(lengths, length);
        Segments segments = world.segments(lengths);
        var shape = new Shape(4, 2, 32, 32, 0.17f, 0, null);
        Tensor x = world.activations("x", 1, TOKENS, HIDDEN).tensor();
        Tensor y = world.output("y", TOKENS, HIDDEN);
        Tensor q = world.activations("q", 1, TOKENS, 4, 32).tensor();
        Tensor k = world.activations("k", 1, TOKENS, 2, 32).tensor();
        Tensor v = world.activations("v", 1, TOKENS, 2, 32).tensor();
        Tensor dq = world.output("dq", TOKENS, 4, 32);
        Tensor dk = world.output("dk", TOKENS, 2, 32);
        Tensor dv = world.output("dv", TOKENS, 2, 32);
        Tensor attended = world.output("out", TOKENS, 4, 32);
        Tensor lse = world.poisoned("lse", DType.FLOAT32, TOKENS, 4);
        Tensor norm = world.activations("norm", 1, HIDDEN).tensor();
        Tensor headNorm = world.activations("headNorm", 1, 32).tensor();
        Tensor rstd = world.poisoned("rstd", DType.FLOAT32, TOKENS);
        Tensor headRstd = world.poisoned("headRstd", DType.FLOAT32, TOKENS, 4);
        Tensor cos = world.float32("cos", 1, 512, 16).tensor();
        Tensor positions = world.ints("positions", new int[TOKENS], TOKENS);
        Tensor z = world.output("z", TOKENS, RANK);
        Linear square = linear(HIDDEN, HIDDEN);
        Linear narrow = linear(HIDDEN / 2, HIDDEN);
        Tensor flatKey = k.reshape(TOKENS, 64);
        var router = new Router(world.activations("router", 0.1, EXPERTS, HIDDEN).tensor(), Kind.SOFTMAX_TOPK, PICKS, true);
        var experts = new Experts(new Weight.Dense(world.activations("gateUp", 0.1, EXPERTS, 256, HIDDEN).tensor()),
                new Weight.Dense(world.activations("down", 0.1, EXPERTS, HIDDEN, 128).tensor()),
                world.lora("gl", RANK, 256, HIDDEN, 2, EXPERTS).lora(), world.lora("dl", RANK, HIDDEN, 128, 2, EXPERTS).lora());
        Tensor logits = world.poisoned("logits", DType.FLOAT32, TOKENS, EXPERTS);
        Tensor dWeights = world.poisoned("dWeights", DType.FLOAT32, TOKENS, PICKS);
        var head = new Linear(new Weight.Dense(world.activations("head", 0.1, VOCABULARY, HIDDEN).tensor()), null, null);
        Tensor scale = world.scalar("scale", 1e-3f);
        Tensor labels = world.ints("labels", world.random().ints(TOKENS, 0, VOCABULARY).toArray(), TOKENS);
        Tensor nll = world.poisoned("nll", DType.FLOAT32, TOKENS);
        var arena = b.optimizer().arena(b.scope(Lifetime.RUN, "adamw"), 730_000, OptimizerState.EXACT);
        Tensor gradientNorm = world.poisoned("norm", DType.FLOAT32, 1);
        for (round = 0; round < ROUNDS; round++) {
            try (var step = world.scratch()) {
                var routing = Routing.allocate(step, TOKENS, EXPERTS, PICKS);
                var tape = Tape.allocate(step, DType.FLOAT32, TOKENS * PICKS, experts);
                time("norm x2", () -> twice(() -> b.norm().rmsNorm(x, norm, 1e-6f, y, rstd)));
                time("head norms", () -> {
                    b.norm().rmsNorm(q, headNorm, 1e-6f, dq, headRstd);
                    b.norm().rmsNorm(k, headNorm, 1e-6f, dk, headRstd.view("half", 0, TOKENS, 2));
                });
                time("rope q k", () -> {
                    b.rotary().rotate(dq, positions, cos, cos, Pairing.HALVES, Direction.FORWARD);
                    b.rotary().rotate(dk, positions, cos, cos, Pairing.HALVES, Direction.FORWARD);
                });
                time("linear q o", () -> twice(() -> b.linear().forward(x, square, z, y, step)));
                time("linear k v", () -> twice(() -> b.linear().forward(x, narrow, z, flatKey, step)));
                time("attention", () -> b.attention().forward(q, k, v, segments, shape, attended, lse, step));
                time("route", () -> b.router().route(x, router, logits, routing, step));
                time("experts", () -> b.experts().forward(x, routing, experts, tape, y, Accumulate.REPLACE, step));
                time("add x2", () -> twice(() -> b.elementwise().add(x, y, y)));
                time("experts bwd", () -> b.experts().backward(x, x, routing, experts, tape, y, Accumulate.REPLACE, dWeights, step));
                time("route bwd", () -> b.router().backward(dWeights, logits, routing, router, y, Accumulate.ADD, step));
                time("attention bwd", () -> b.attention().backward(q, q, k, v, attended, lse, segments, shape, dq, dk, dv, step));
                time("linear q o bwd", () -> twice(() -> b.linear().backward(x, x, z, square, y, Accumulate.ADD, step)));
                time("linear k v bwd", () -> twice(() -> b.linear().backward(flatKey, x, z, narrow, y, Accumulate.ADD, step)));
                time("norm bwd x2", () -> twice(() -> b.norm().rmsNormBackward(x, x, norm, rstd, y, Accumulate.ADD)));
                time("head norms bwd", () -> b.norm().rmsNormBackward(q, q, headNorm, headRstd, dq, Accumulate.REPLACE));
                time("LOSS", () -> b.loss().crossEntropy(x, head, labels, scale, nll, null, y, step));
                time("ADAMW", () -> b.optimizer().update(arena, new AdamW(1e-4, 0.9, 0.999, 1e-8, 0.01, 1, 1), gradientNorm));
            }
        }
        print();
    }

    private static void twice(Runnable operation) {
        operation.run();
        operation.run();
    }

    /// Medians of the second half: the first warms up.
    private void print() {
        double layer = 0;
        double rest = 0;
        for (var entry : times.entrySet()) {
            double[] warm = Arrays.copyOfRange(entry.getValue(), ROUNDS / 2, ROUNDS);
            Arrays.sort(warm);
            double median = warm[warm.length / 2];
            System.out.printf("%-16s %8.3f ms%n", entry.getKey(), median);
            boolean once = entry.getKey().equals(entry.getKey().toUpperCase(Locale.ROOT));
            layer += once ? 0 : median;
            rest += once ? median : 0;
        }
        System.out.printf("one layer %.2f ms, a step of four layers %.2f ms%n", layer, 4 * layer + rest);
    }
}
