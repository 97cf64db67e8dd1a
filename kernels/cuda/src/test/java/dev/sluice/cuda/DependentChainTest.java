package dev.sluice.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.compute.Availability;
import dev.sluice.compute.BackendProvider;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.compute.contract.World;
import dev.sluice.cuda.DependentLaunches.Rule;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// A chain in which every kernel reads what the one before wrote last, launched one by one and recorded, whether kernels may overlap or not.
class DependentChainTest {
    private static final int ROWS = 3000;
    private static final int WIDTH = 512;
    private static final int RUNS = 10;

    @AfterEach
    void forget() {
        System.clearProperty(DependentLaunches.PROPERTY);
    }

    static Stream<BackendProvider> providers() {
        return Stream.of(new PortableProvider(), new HopperProvider());
    }

    @ParameterizedTest
    @MethodSource("providers")
    void kernelsThatOverlapGiveTheBitsOfKernelsThatDoNot(BackendProvider provider) {
        var availability = provider.probe();
        assumeTrue(availability instanceof Availability.Available, availability.toString());
        var wanted = runs(provider, Rule.OFF).getFirst();
        for (var rule : Rule.values()) {
            runs(provider, rule).forEach(found -> assertArrayEquals(wanted, found, rule.toString()));
        }
    }

    /// What a chain gives launched plainly, and then recorded, again and again.
    private static List<double[]> runs(BackendProvider provider, Rule rule) {
        System.setProperty(DependentLaunches.PROPERTY, rule.name().toLowerCase(Locale.ROOT));
        try (var backend = (CudaBackend) provider.open(); var world = new World(backend, 0, 3); var replay = backend.replay()) {
            var chain = Chain.of(world);
            var found = new ArrayList<double[]>();
            for (int run = 0; run < RUNS; run++) {
                world.upload(chain.x, chain.begin);
                try (var step = backend.scope(Lifetime.STEP, "step")) {
                    replay.run("chain", step, scope -> chain.run(backend, scope));
                }
                found.add(world.read(chain.x));
            }
            assertEquals(RUNS - 2, replay.replayed(), "the first run is none, and the second is recorded");
            boolean waits = rule != Rule.OFF && backend.device().gpu().capability() >= 90;
            assertTrue(waits ? backend.device().dependentLaunches() > 20 : backend.device().dependentLaunches() == 0,
                    rule + ": " + backend.device().dependentLaunches() + " launches may overlap");
            return found;
        }
    }

    private record Chain(Tensor x, double[] begin, Linear layer, Tensor norm, Tensor y, Tensor rstd, Tensor few) {
        static Chain of(World world) {
            var x = world.activations("x", 1, ROWS, WIDTH);
            var weight = new Weight.Dense(world.activations("weight", 1 / Math.sqrt(WIDTH), WIDTH, WIDTH).tensor());
            return new Chain(x.tensor(), x.values(), new Linear(weight, null, null), world.activations("norm", 1, WIDTH).tensor(),
                    world.output("y", ROWS, WIDTH), world.poisoned("rstd", DType.FLOAT32, ROWS), world.output("few", 3, WIDTH));
        }

        /// Grids that fill the device between those of a few blocks, a product with large tiles, and a fill, which is no kernel.
        void run(CudaBackend backend, Scope scope) {
            var each = backend.elementwise();
            for (int round = 0; round < 12; round++) {
                backend.linear().forward(x, layer, null, y, scope);
                backend.norm().rmsNorm(y, norm, 1e-6f, y, rstd);
                each.zero(few);
                each.sumColumns(y, 0, few, 0, WIDTH);
                each.scale(few, 0.01f);
                each.copyColumns(few, 0, y, 0, WIDTH);
                each.add(x, y, x);
                each.scale(x, 0.75f);
            }
        }
    }
}
