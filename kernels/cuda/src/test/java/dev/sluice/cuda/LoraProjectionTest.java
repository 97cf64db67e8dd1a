package dev.sluice.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Availability;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.compute.contract.World;
import dev.sluice.compute.contract.World.LoraTwin;
import dev.sluice.compute.contract.World.Twin;
import dev.sluice.compute.op.ExpertOps.Experts;
import dev.sluice.compute.op.ExpertOps.Tape;
import dev.sluice.compute.op.LinearOps.Branch;
import dev.sluice.compute.op.RouterOps;
import dev.sluice.compute.op.Routing;
import java.util.ArrayList;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// z of dense layers and of experts against float64 sums, and that the kernels of `lora_z.cu` computed it.
class LoraProjectionTest {
    /// One rounding to bf16 of float32 sums.
    private static final double TOLERANCE = 0x1p-8;

    @BeforeAll
    static void needsAGpu() {
        var availability = new PortableProvider().probe();
        assumeTrue(availability instanceof Availability.Available, availability.toString());
    }

    /// rows, in, out, rank, columns of the kernels
    @ParameterizedTest
    @CsvSource({"1,8,16,8,8", "31,64,64,16,16", "33,40,136,16,16", "64,2048,512,16,16", "129,768,2048,16,16", "4097,256,320,8,8",
        "300,1536,64,32,32", "65,520,264,64,64", "257,2048,72,64,64", "20000,64,128,16,16", "17000,128,64,32,32", "17000,128,64,64,64",
        "17000,64,64,8,8"})
    void denseSumsMatchFloat64(int rows, int in, int out, int rank, int columns) {
        try (var backend = (CudaBackend) new PortableProvider().open(); var world = new World(backend, TOLERANCE, rows + in);
                var step = backend.scope(Lifetime.STEP, "step")) {
            var x = world.activations("x", 1, rows, in);
            var dy = world.activations("dy", 1, rows, out);
            var lora = world.lora("lora", rank, out, in, 1.5);
            var weight = new Weight.Dense(world.activations("weight", 1 / Math.sqrt(in), out, in).tensor());
            var layer = new Linear(weight, null, lora.lora());
            var z = world.output("z", rows, rank);
            backend.linear().forward(x.tensor(), layer, z, world.output("y", rows, out), step);
            world.assertClose(z, projected(x, identity(rows), lora.a(), rows, in, rank, 1.5));
            var dx = world.output("dx", rows, in);
            backend.linear().backward(dy.tensor(), x.tensor(), z, layer, dx, Accumulate.REPLACE, step);
            var launches = backend.launches();
            long found = launches.entrySet().stream().filter(e -> e.getKey().matches("lora_d?z_" + columns + "_\\d+"))
                    .mapToLong(Map.Entry::getValue).sum();
            assertEquals(2, found, launches.toString());
            assertGradientOfA(world, x, dy, lora, rows, in, out, rank);
        }
    }

    /// rows, in, ranks of layers, the kernel of all their z, and of all their dz if there is one
    @ParameterizedTest
    @CsvSource({
        "1,64,8 8 8,lora_z_8_32,lora_dz_8_32", "65,40,16 16,lora_z_16_32,lora_dz_16_32", "300,2048,32 32 32,lora_z_32_32,lora_dz_32_32",
        "4097,256,16 16 16,lora_z_48_32,lora_dz_16_32", "4100,72,16 16,lora_z_32_32,lora_dz_16_32",
        "5000,128,8 8 8 8,lora_z_32_32,lora_dz_8_32", "4500,64,16 16 16 16,lora_z_64_32,lora_dz_16_32",
        "17000,136,16 16 16,lora_z_48_32,lora_dz_16_64", "17000,64,32 32 32,lora_z_32_64,lora_dz_32_64",
        "33,520,8 16 24,lora_z_48_32,", "129,64,12 5,lora_z_32_32,", "4099,96,20 9 4 1,lora_z_64_32,"})
    void layersOfOneInputTakeOneLaunch(int rows, int in, String ranks, String z, String dz) {
        try (var backend = (CudaBackend) new PortableProvider().open(); var world = new World(backend, TOLERANCE, rows + in);
                var step = backend.scope(Lifetime.STEP, "step")) {
            assumeTrue(backend.device().multiprocessors() <= 132, "more multiprocessors take these rows in other blocks");
            var x = world.activations("x", 1, rows, in);
            var layers = new ArrayList<Adapted>();
            for (String rank : ranks.split(" ")) {
                layers.add(Adapted.draw(world, layers.size(), Integer.parseInt(rank), rows, in));
            }
            backend.linear().forward(x.tensor(), layers.stream().map(Adapted::forward).toList(), step);
            assertEquals(Set.of(z), narrow(backend, "lora_z_"));
            backend.linear().backward(x.tensor(), layers.stream().map(Adapted::backward).toList(), world.output("dx", rows, in),
                    Accumulate.REPLACE, step);
            assertTrue(dz == null || narrow(backend, "lora_dz_").equals(Set.of(dz)), backend.launches().toString());
            for (var one : layers) {
                world.assertClose(one.z, projected(x, identity(rows), one.lora.a(), rows, in, one.layer.rank(), one.lora.scale()));
                assertGradientOfA(world, x, one.dy, one.lora, rows, in, one.out(), one.layer.rank());
            }
        }
    }

    /// Kernels of a kind that ran, with their numbers where those are not one.
    private static Set<String> narrow(CudaBackend backend, String prefix) {
        return backend.launches().entrySet().stream().filter(e -> e.getKey().startsWith(prefix) && e.getValue() > 0)
                .map(e -> e.getValue() == 1 ? e.getKey() : e.toString()).collect(Collectors.toSet());
    }

    /// A layer among several of one input, what it wrote and what comes back to it.
    private record Adapted(Linear layer, LoraTwin lora, Tensor z, Tensor y, Twin dy) {
        static Adapted draw(World world, int index, int rank, int rows, int in) {
            int out = 64 * (index + 1) + 8;
            var lora = world.lora("lora" + index, rank, out, in, 1.5 + index);
            var weight = new Weight.Dense(world.activations("weight" + index, 1 / Math.sqrt(in), out, in).tensor());
            return new Adapted(new Linear(weight, null, lora.lora()), lora, world.output("z" + index, rows, rank),
                    world.output("y" + index, rows, out), world.activations("dy" + index, 1, rows, out));
        }

        Branch forward() {
            return new Branch(layer, z, y);
        }

        Branch backward() {
            return new Branch(layer, z, dy.tensor());
        }

        int out() {
            return Math.toIntExact(layer.weight().out());
        }
    }

    /// gradA = dz^T x shows dz, which is scratch.
    private static void assertGradientOfA(World world, Twin x, Twin dy, LoraTwin lora, int rows, int in, int out, int rank) {
        double[] added = new double[rank * in];
        for (int r = 0; r < rows; r++) {
            for (int j = 0; j < rank; j++) {
                double dz = 0;
                for (int o = 0; o < out; o++) {
                    dz += dy.values()[r * out + o] * lora.b().values()[o * rank + j];
                }
                for (int i = 0; i < in; i++) {
                    added[j * in + i] += lora.scale() * dz * x.values()[r * in + i];
                }
            }
        }
        world.assertClose(lora.gradA().tensor(), World.sum(lora.gradA().values(), added));
    }

    /// tokens, experts, topK, hidden, width, rank
    @ParameterizedTest
    @CsvSource({"1,4,2,64,64,8", "63,8,2,128,64,16", "300,16,4,320,128,64", "700,128,8,512,64,32", "2500,3,2,128,448,16", "5,2,1,40,24,16"})
    void expertSumsMatchFloat64(int tokens, int count, int topK, int hidden, int width, int rank) {
        try (var backend = (CudaBackend) new PortableProvider().open(); var world = new World(backend, TOLERANCE, tokens + hidden);
                var step = backend.scope(Lifetime.STEP, "step")) {
            var x = world.activations("x", 1, tokens, hidden);
            var first = world.lora("first", rank, 2 * width, hidden, 1.5, count);
            var second = world.lora("second", rank, hidden, width, 1.5, count);
            var experts = new Experts(new Weight.Dense(world.activations("gateUp", 1 / Math.sqrt(hidden), count, 2 * width, hidden).tensor()),
                    new Weight.Dense(world.activations("down", 1 / Math.sqrt(width), count, hidden, width).tensor()), first.lora(), second.lora());
            var router = new RouterOps.Router(world.activations("router", 1, count, hidden).tensor(), RouterOps.Kind.SOFTMAX_TOPK, topK, true);
            var routing = Routing.allocate(step, tokens, count, topK);
            backend.router().route(x.tensor(), router, world.poisoned("logits", DType.FLOAT32, tokens, count), routing, step);
            var tape = Tape.allocate(step, DType.BFLOAT16, (long) tokens * topK, experts);
            world.poison(tape.gateUpZ());
            backend.experts().forward(x.tensor(), routing, experts, tape, world.output("out", tokens, hidden), Accumulate.REPLACE, step);
            int[] offsets = world.readInts(routing.offsets());
            int[] rowToken = world.readInts(routing.rowToken());
            world.assertClose(tape.gateUpZ(), grouped(x, rowToken, offsets, first.a(), hidden, rank));
            assertTrue(backend.launches().keySet().stream().anyMatch(name -> name.equals("lora_z_" + rank + "_64")),
                    backend.launches().toString());
        }
    }

    private static double[] grouped(Twin x, int[] rowToken, int[] offsets, Twin a, int in, int rank) {
        double[] z = new double[rowToken.length * rank];
        for (int expert = 0; expert < offsets.length - 1; expert++) {
            for (int row = offsets[expert]; row < offsets[expert + 1]; row++) {
                for (int j = 0; j < rank; j++) {
                    z[row * rank + j] = 1.5 * dot(x.values(), rowToken[row] * in, a.values(), (expert * rank + j) * in, in);
                }
            }
        }
        return z;
    }

    private static double[] projected(Twin x, int[] rows, Twin a, int count, int in, int rank, double scale) {
        double[] z = new double[count * rank];
        for (int r = 0; r < count; r++) {
            for (int j = 0; j < rank; j++) {
                z[r * rank + j] = scale * dot(x.values(), rows[r] * in, a.values(), j * in, in);
            }
        }
        return z;
    }

    private static double dot(double[] left, int leftFrom, double[] right, int rightFrom, int count) {
        double total = 0;
        for (int i = 0; i < count; i++) {
            total += left[leftFrom + i] * right[rightFrom + i];
        }
        return total;
    }

    private static int[] identity(int rows) {
        return IntStream.range(0, rows).toArray();
    }
}
