package dev.sluice.compute.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

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
import dev.sluice.compute.op.RouterOps.Kind;
import dev.sluice.compute.op.RouterOps.Router;
import dev.sluice.compute.op.Routing;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// The number of threads changes no bit, so a run may move between machines.
class ThreadCountTest {
    private static final int TOKENS = 1500;
    private static final int HIDDEN = 72;

    static Stream<Gemm> gemms() {
        return Stream.of(new FewRows(new OpenBlas()), new FewRows(new VectorGemm()));
    }

    @ParameterizedTest
    @MethodSource("gemms")
    void anyNumberOfThreadsGivesTheSameBits(Gemm gemm) {
        List<double[]> alone = run(1, gemm);
        for (int threads : new int[] {2, 3, 5}) {
            List<double[]> together = run(threads, gemm);
            for (int i = 0; i < alone.size(); i++) {
                assertArrayEquals(alone.get(i), together.get(i), "result " + i + " with " + threads + " threads");
            }
        }
    }

    private static List<double[]> run(int threads, Gemm gemm) {
        try (var backend = new CpuBackend(threads, gemm);
                var world = new World(backend, 0, 1);
                var scratch = backend.scope(Lifetime.STEP, "scratch")) {
            var results = new ArrayList<Tensor>();
            var x = world.activations("x", 1, TOKENS, HIDDEN).tensor();
            linear(world, x, results);
            attention(world, results);
            experts(world, x, results);
            loss(world, x, results);
            optimizer(world, OptimizerState.EXACT, results);
            optimizer(world, OptimizerState.LEAN, results);
            return results.stream().map(world::read).toList();
        }
    }

    private static void linear(World world, Tensor x, List<Tensor> results) {
        var lora = world.lora("lora", 16, 40, HIDDEN, 2);
        var layer = new Linear(new Weight.Dense(world.activations("w", 0.1, 40, HIDDEN).tensor()), null, lora.lora());
        var z = world.output("z", TOKENS, 16);
        var y = world.output("y", TOKENS, 40);
        var dx = world.output("dx", TOKENS, HIDDEN);
        try (var scratch = world.scratch()) {
            world.backend().linear().forward(x, layer, z, y, scratch);
            world.backend().linear().backward(y, x, z, layer, dx, Accumulate.REPLACE, scratch);
        }
        results.addAll(List.of(y, dx, lora.gradA().tensor(), lora.gradB().tensor()));
    }

    private static void attention(World world, List<Tensor> results) {
        Segments segments = world.segments(700, 1, 400, 399);
        var shape = new Shape(4, 2, 18, 18, 0.25f, 0, null);
        var q = world.activations("q", 1, TOKENS, 4, 18).tensor();
        var k = world.activations("k", 1, TOKENS, 2, 18).tensor();
        var v = world.activations("v", 1, TOKENS, 2, 18).tensor();
        var out = world.output("out", TOKENS, 4, 18);
        var lse = world.poisoned("lse", DType.FLOAT32, TOKENS, 4);
        var gradients = List.of(world.output("dq", TOKENS, 4, 18), world.output("dk", TOKENS, 2, 18), world.output("dv", TOKENS, 2, 18));
        try (var scratch = world.scratch()) {
            world.backend().attention().forward(q, k, v, segments, shape, out, lse, scratch);
            world.backend().attention().backward(out, q, k, v, out, lse, segments, shape, gradients.get(0), gradients.get(1),
                    gradients.get(2), scratch);
        }
        results.add(out);
        results.addAll(gradients);
    }

    /// Three experts, so that one has more rows than a single task sums.
    private static void experts(World world, Tensor x, List<Tensor> results) {
        var router = new Router(world.activations("router", 1, 3, HIDDEN).tensor(), Kind.SOFTMAX_TOPK, 2, true);
        var gateUpLora = world.lora("gateUpLora", 8, 64, HIDDEN, 2, 3);
        var downLora = world.lora("downLora", 8, HIDDEN, 32, 2, 3);
        var experts = new Experts(new Weight.Dense(world.activations("gateUp", 0.2, 3, 64, HIDDEN).tensor()),
                new Weight.Dense(world.activations("down", 0.2, 3, HIDDEN, 32).tensor()), gateUpLora.lora(), downLora.lora());
        var logits = world.poisoned("logits", DType.FLOAT32, TOKENS, 3);
        var out = world.output("out", TOKENS, HIDDEN);
        var dx = world.output("dx", TOKENS, HIDDEN);
        var dWeights = world.poisoned("dWeights", DType.FLOAT32, TOKENS, 2);
        try (var step = world.scratch()) {
            var routing = Routing.allocate(step, TOKENS, 3, 2);
            var tape = Tape.allocate(step, DType.FLOAT32, 2 * TOKENS, experts);
            world.backend().router().route(x, router, logits, routing, step);
            world.backend().experts().forward(x, routing, experts, tape, out, Accumulate.REPLACE, step);
            world.backend().experts().backward(out, x, routing, experts, tape, dx, Accumulate.REPLACE, dWeights, step);
            world.backend().router().backward(dWeights, logits, routing, router, dx, Accumulate.ADD, step);
        }
        results.addAll(List.of(out, dx, dWeights, gateUpLora.gradA().tensor(), gateUpLora.gradB().tensor(),
                downLora.gradA().tensor(), downLora.gradB().tensor()));
    }

    private static void loss(World world, Tensor x, List<Tensor> results) {
        var head = new Linear(new Weight.Dense(world.activations("head", 0.2, 300, HIDDEN).tensor()), null, null);
        int[] labels = world.random().ints(TOKENS, 0, 300).toArray();
        var nll = world.poisoned("nll", DType.FLOAT32, TOKENS);
        var dHidden = world.output("dHidden", TOKENS, HIDDEN);
        try (var scratch = world.scratch()) {
            world.backend().loss().crossEntropy(x, head, world.ints("labels", labels, TOKENS), world.scalar("scale", 1), nll, null, dHidden, scratch);
        }
        results.addAll(List.of(nll, dHidden));
    }

    private static void optimizer(World world, OptimizerState state, List<Tensor> results) {
        var arena = world.backend().optimizer().arena(world.backend().scope(Lifetime.RUN, "adamw"), 100_000, state);
        world.upload(arena.values(), world.random().doubles(100_000, -1, 1).toArray());
        world.upload(arena.gradients(), world.random().doubles(100_000, -1, 1).toArray());
        var norm = world.poisoned("norm", DType.FLOAT32, 1);
        world.backend().optimizer().update(arena, new AdamW(1e-3, 0.9, 0.999, 1e-8, 0.01, 1, 1), norm);
        results.addAll(arena.state().values());
        results.add(norm);
    }
}
