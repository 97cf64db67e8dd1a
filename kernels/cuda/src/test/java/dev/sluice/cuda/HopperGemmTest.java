package dev.sluice.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Availability;
import dev.sluice.compute.BackendProvider;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Lora;
import dev.sluice.compute.Weight;
import dev.sluice.compute.contract.World;
import dev.sluice.compute.op.ExpertOps.Experts;
import dev.sluice.compute.op.ExpertOps.Tape;
import dev.sluice.compute.op.GatedActivation;
import dev.sluice.compute.op.LinearOps.Branch;
import dev.sluice.compute.op.RouterOps;
import dev.sluice.compute.op.Routing;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The Hopper products against the portable ones, which the contract holds to float64, at widths that the Hopper kernels take.
class HopperGemmTest {
    /// Two roundings to bf16, each half a unit in the eighth bit.
    private static final double TOLERANCE = 2 * 0x1p-8;

    @BeforeAll
    static void needsHopper() {
        var availability = new HopperProvider().probe();
        assumeTrue(availability instanceof Availability.Available, availability.toString());
    }

    /// tokens, experts, topK, hidden, width, rank
    @ParameterizedTest
    @CsvSource({"1,4,2,64,64,8", "63,8,2,128,64,16", "129,1,1,192,320,16", "300,16,4,320,128,64", "1000,5,3,256,192,8",
        "700,128,8,512,64,32", "2500,3,2,128,448,16", "65,4,2,576,256,0"})
    void expertsAgreeWithThePortableKernels(int tokens, int experts, int topK, int hidden, int width, int rank) {
        for (var activation : GatedActivation.values()) {
            var wanted = experts(new PortableProvider(), activation, tokens, experts, topK, hidden, width, rank);
            var found = experts(new HopperProvider(), activation, tokens, experts, topK, hidden, width, rank);
            assertAgree(wanted, found);
            for (int repeat = 0; repeat < 3; repeat++) {
                var again = experts(new HopperProvider(), activation, tokens, experts, topK, hidden, width, rank);
                for (int i = 0; i < found.size(); i++) {
                    assertArrayEquals(found.get(i), again.get(i));
                }
            }
        }
    }

    /// Biases everywhere but with SwiGLU.
    private static List<double[]> experts(BackendProvider provider, GatedActivation activation, int tokens, int count, int topK, int hidden,
            int width, int rank) {
        try (var backend = (CudaBackend) provider.open(); var world = new World(backend, 0, 7);
                var step = backend.scope(Lifetime.STEP, "step")) {
            var x = world.activations("x", 1, tokens, hidden).tensor();
            var dOut = world.activations("dOut", 1, tokens, hidden).tensor();
            var gateUp = world.activations("gateUp", 1 / Math.sqrt(hidden), count, 2 * width, hidden).tensor();
            var down = world.activations("down", 1 / Math.sqrt(width), count, hidden, width).tensor();
            Lora first = rank == 0 ? null : world.lora("first", rank, 2 * width, hidden, 1, count).lora();
            Lora second = rank == 0 ? null : world.lora("second", rank, hidden, width, 1, count).lora();
            boolean biased = activation != GatedActivation.SWIGLU;
            var experts = new Experts(new Weight.Dense(gateUp), new Weight.Dense(down),
                    biased ? world.activations("gateUpBias", 1, count, 2 * width).tensor() : null,
                    biased ? world.activations("downBias", 1, count, hidden).tensor() : null, activation, first, second);
            var router = new RouterOps.Router(world.activations("router", 1, count, hidden).tensor(), RouterOps.Kind.SOFTMAX_TOPK, topK, true);
            var routing = Routing.allocate(step, tokens, count, topK);
            backend.router().route(x, router, world.poisoned("logits", DType.FLOAT32, tokens, count), routing, step);
            var tape = Tape.allocate(step, DType.BFLOAT16, (long) tokens * topK, experts);
            world.poison(tape.gateUp());
            var out = world.output("out", tokens, hidden);
            var dx = world.output("dx", tokens, hidden);
            var dWeights = world.poisoned("dWeights", DType.FLOAT32, tokens, topK);
            backend.experts().forward(x, routing, experts, tape, out, Accumulate.REPLACE, step);
            double[] before = world.read(tape.gateUp());
            world.poison(tape.gateUp());
            backend.experts().recompute(x, routing, experts, tape, step);
            assertArrayEquals(before, world.read(tape.gateUp()));
            backend.experts().backward(dOut, x, routing, experts, tape, dx, Accumulate.REPLACE, dWeights, step);
            assertTrue(provider instanceof PortableProvider || ran(backend, "hopper_experts_nt_gather") && ran(backend, "hopper_experts_nn_gather")
                    && ran(backend, "hopper_experts_nt") && ran(backend, "hopper_experts_nn"), "the Hopper kernels did not run: " + backend.launches());
            return rank == 0 ? List.of(world.read(out), world.read(dx), world.read(dWeights))
                    : List.of(world.read(out), world.read(dx), world.read(dWeights), world.read(first.gradA()), world.read(first.gradB()),
                            world.read(second.gradA()), world.read(second.gradB()));
        }
    }

    private static boolean ran(CudaBackend backend, String kernel) {
        return backend.launches().getOrDefault(kernel, 0L) > 0;
    }

    /// rows, in, out, rank
    @ParameterizedTest
    @CsvSource({"1,64,64,8", "127,128,192,16", "129,72,320,64", "1000,448,512,16", "4097,256,320,24", "300,2048,64,0", "4096,512,2048,16",
        "1024,256,2048,16", "20000,128,192,8"})
    void denseLayersAgreeWithThePortableKernels(int rows, int in, int out, int rank) {
        assertAgree(dense(new PortableProvider(), rows, in, out, rank), dense(new HopperProvider(), rows, in, out, rank));
    }

    private static List<double[]> dense(BackendProvider provider, int rows, int in, int out, int rank) {
        try (var backend = provider.open(); var world = new World(backend, 0, 9); var step = backend.scope(Lifetime.STEP, "step")) {
            var x = world.activations("x", 1, rows, in).tensor();
            var dy = world.activations("dy", 1, rows, out).tensor();
            var weight = new Weight.Dense(world.activations("weight", 1 / Math.sqrt(in), out, in).tensor());
            var layer = new Linear(weight, world.activations("bias", 1, out).tensor(), rank == 0 ? null : world.lora("lora", rank, out, in, 1).lora());
            var z = rank == 0 ? null : world.output("z", rows, rank);
            var y = world.output("y", rows, out);
            var dx = world.activations("dx", 1, rows, in).tensor();
            backend.linear().forward(x, layer, z, y, step);
            backend.linear().backward(dy, x, z, layer, dx, Accumulate.ADD, step);
            return List.of(world.read(y), world.read(dx));
        }
    }

    /// rows, in, rank
    @ParameterizedTest
    @CsvSource({"1,64,8", "129,256,16", "1000,512,64", "4096,2048,16", "300,320,0"})
    void layersOfOneInputAgreeWithThePortableKernels(int rows, int in, int rank) {
        var wanted = layers(new PortableProvider(), rows, in, rank);
        var found = layers(new HopperProvider(), rows, in, rank);
        assertAgree(wanted, found);
        var again = layers(new HopperProvider(), rows, in, rank);
        for (int i = 0; i < found.size(); i++) {
            assertArrayEquals(found.get(i), again.get(i));
        }
    }

    private static List<double[]> layers(BackendProvider provider, int rows, int in, int rank) {
        try (var backend = (CudaBackend) provider.open(); var world = new World(backend, 0, 11); var step = backend.scope(Lifetime.STEP, "step")) {
            var x = world.activations("x", 1, rows, in).tensor();
            var outputs = new ArrayList<Branch>();
            var gradients = new ArrayList<Branch>();
            for (int out : new int[] {1024, 64, 192}) {
                var weight = new Weight.Dense(world.activations("weight", 1 / Math.sqrt(in), out, in).tensor());
                var layer = new Linear(weight, world.activations("bias", 1, out).tensor(), rank == 0 ? null : world.lora("lora", rank, out, in, 1).lora());
                var z = rank == 0 ? null : world.output("z", rows, rank);
                outputs.add(new Branch(layer, z, world.output("y", rows, out)));
                gradients.add(new Branch(layer, z, world.activations("dy", 1, rows, out).tensor()));
            }
            var dx = world.activations("dx", 1, rows, in).tensor();
            backend.linear().forward(x, outputs, step);
            backend.linear().backward(x, gradients, dx, Accumulate.ADD, step);
            assertTrue(provider instanceof PortableProvider || ran(backend, "hopper_layers_nt") && ran(backend, "hopper_layers_nn"),
                    "the Hopper kernels did not run: " + backend.launches());
            return Stream.concat(outputs.stream().map(Branch::y), Stream.of(dx)).map(world::read).toList();
        }
    }

    private static void assertAgree(List<double[]> wanted, List<double[]> found) {
        for (int i = 0; i < wanted.size(); i++) {
            double[] w = wanted.get(i);
            double[] f = found.get(i);
            double difference = 0;
            for (int j = 0; j < w.length; j++) {
                difference += (w[j] - f[j]) * (w[j] - f[j]);
            }
            double error = Math.sqrt(difference / Arrays.stream(w).map(v -> v * v).sum());
            assertTrue(error <= TOLERANCE, "result " + i + ": relative difference " + error);
        }
    }
}
