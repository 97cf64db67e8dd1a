package dev.sluice.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Availability;
import dev.sluice.compute.BackendProvider;
import dev.sluice.compute.DType;
import dev.sluice.compute.DryScope;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Packing;
import dev.sluice.compute.Weight;
import dev.sluice.compute.contract.PackedContract.PackedTwin;
import dev.sluice.compute.contract.RoutingTwin;
import dev.sluice.compute.contract.World;
import dev.sluice.compute.op.ExpertOps.Experts;
import dev.sluice.compute.op.ExpertOps.Tape;
import dev.sluice.compute.op.GatedActivation;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ExpertPartTest {
    private static final int EXPERTS = 7;
    private static final int TOP_K = 2;

    private static Weight.Packed mxfp4(int experts, int out, int in) {
        var scope = new DryScope("weights", Lifetime.PROCESS, 1);
        return new Weight.Packed(Packing.MXFP4, scope.allocate("codes", DType.UINT8, experts, out, in / 2),
                scope.allocate("scales", DType.UINT8, experts, out, in / 32));
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 40_000, 64_000, 1 << 20})
    void partsHoldEveryExpertOnceWithinTheBound(long bytes) {
        var stack = mxfp4(EXPERTS, 128, 64);
        int next = 0;
        for (var part : ExpertPart.of(stack, EXPERTS, bytes)) {
            assertEquals(next, part.first());
            next += part.count();
            assertTrue(part.count() == 1 || part.count() * 128 * 64 * 2 <= bytes, part.toString());
            var own = (Weight.Packed) part.of(stack);
            assertEquals(List.of((long) part.count(), 128L, 2L), List.of(own.scales().dim(0), own.scales().dim(1), own.scales().dim(2)));
        }
        assertEquals(EXPERTS, next);
    }

    @Test
    void plainStacksAreOnePart() {
        var scope = new DryScope("weights", Lifetime.PROCESS, 1);
        var plain = new Weight.Dense(scope.allocate("plain", DType.BFLOAT16, EXPERTS, 128, 64));
        assertEquals(List.of(new ExpertPart(0, EXPERTS, EXPERTS)), ExpertPart.of(plain, EXPERTS, 1));
    }

    /// packing, tokens, hidden, width, rank, bytes of a part
    @ParameterizedTest
    @CsvSource({"MXFP4,300,64,64,8,40000", "MXFP4,5,64,64,0,1", "MXFP4,129,96,160,3,70000", "NF4,300,128,192,16,200000", "NF4,40,64,128,2,1",
        "FP8,300,128,64,8,100000", "FP8,33,24,20,2,2000"})
    void partsGiveTheBitsOfAllExpertsAtOnce(Packing packing, int tokens, int hidden, int width, int rank, long bytes) {
        for (BackendProvider provider : List.of(new PortableProvider(), new HopperProvider())) {
            var availability = provider.probe();
            assumeTrue(availability instanceof Availability.Available, availability.toString());
            try (var backend = (CudaBackend) provider.open()) {
                var whole = results(backend, packing, tokens, hidden, width, rank, Long.MAX_VALUE);
                var parted = results(backend, packing, tokens, hidden, width, rank, bytes);
                for (int i = 0; i < whole.size(); i++) {
                    assertArrayEquals(whole.get(i), parted.get(i), provider.name() + " result " + i);
                }
            }
        }
    }

    /// The first and the last expert have no rows.
    private static List<double[]> results(CudaBackend backend, Packing packing, int tokens, int hidden, int width, int rank, long bytes) {
        var operations = new CudaExperts(backend.device(), bytes);
        try (var world = new World(backend, 0, tokens + hidden); var step = backend.scope(Lifetime.STEP, "step")) {
            var gateUp = new PackedTwin(world, packing, EXPERTS, 2L * width, hidden).weight();
            var down = new PackedTwin(world, packing, EXPERTS, hidden, width).weight();
            var experts = new Experts(gateUp, down, world.activations("gateUpBias", 1, EXPERTS, 2L * width).tensor(),
                    world.activations("downBias", 1, EXPERTS, hidden).tensor(), GatedActivation.CLAMPED_SWIGLU,
                    rank == 0 ? null : world.lora("first", rank, 2 * width, hidden, 1, EXPERTS).lora(),
                    rank == 0 ? null : world.lora("second", rank, hidden, width, 1, EXPERTS).lora());
            var routing = RoutingTwin.random(world, tokens, TOP_K, EXPERTS, 1, EXPERTS - 1).routing();
            var x = world.activations("x", 1, tokens, hidden).tensor();
            var dOut = world.activations("dOut", 1, tokens, hidden).tensor();
            var tape = Tape.allocate(step, DType.BFLOAT16, (long) tokens * TOP_K, experts);
            var out = world.output("out", tokens, hidden);
            var dx = world.output("dx", tokens, hidden);
            var dWeights = world.poisoned("dWeights", DType.FLOAT32, tokens, TOP_K);
            operations.forward(x, routing, experts, tape, out, Accumulate.REPLACE, step);
            double[] kept = world.read(tape.gateUp());
            world.poison(tape.gateUp());
            operations.recompute(x, routing, experts, tape, step);
            assertArrayEquals(kept, world.read(tape.gateUp()));
            operations.backward(dOut, x, routing, experts, tape, dx, Accumulate.REPLACE, dWeights, step);
            return List.of(kept, world.read(out), world.read(dx), world.read(dWeights));
        }
    }
}
