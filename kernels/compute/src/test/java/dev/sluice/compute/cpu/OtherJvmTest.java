package dev.sluice.compute.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Availability;
import dev.sluice.compute.Backends;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.contract.World;
import dev.sluice.compute.op.AttentionOps.Shape;
import dev.sluice.compute.op.GatedActivation;
import dev.sluice.compute.op.OptimizerOps.AdamW;
import dev.sluice.compute.op.OptimizerState;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What only a Java process started differently shows.
class OtherJvmTest {
    private static final List<String> MODULES = List.of("--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED");

    /// The optimising compiler takes a method over after some ten thousand calls.
    private static final int ROUNDS_UNTIL_COMPILED = 3000;

    /// A resumed run compiles other methods at other moments: interpreter and both compilers must agree to the bit.
    @ParameterizedTest
    @ValueSource(strings = {"-Xint", "-XX:TieredStopAtLevel=1"})
    void bitsDoNotDependOnTheCompiler(String mode) throws Exception {
        var options = new ArrayList<>(MODULES);
        options.add(mode);
        String found = java(options, Bits.class);
        for (int round = 0; round < ROUNDS_UNTIL_COMPILED; round++) {
            assertEquals(found, Bits.ofRowArithmetic(), "after " + round + " rounds");
        }
    }

    @Test
    void withoutTheVectorModuleTheReasonSaysHowToGetIt() throws Exception {
        String output = java(List.of(), Probe.class);
        assertTrue(output.contains("--add-modules jdk.incubator.vector"), output);
        assertTrue(output.contains("BackendUnavailableException"), output);
    }

    private static String java(List<String> options, Class<?> main) throws IOException, InterruptedException {
        var command = new ArrayList<String>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(options);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
        var process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
        String output = new String(process.getInputStream().readAllBytes()).strip();
        assertTrue(process.waitFor(2, TimeUnit.MINUTES), "java ended");
        return output;
    }

    /// Prints what the provider says, then what asking for it by name gives.
    static final class Probe {
        public static void main(String[] arguments) {
            if (new CpuProvider().probe() instanceof Availability.Unavailable(var reason)) {
                System.out.println(reason);
            }
            try {
                Backends.installed().choose("cpu");
            } catch (RuntimeException refused) {
                System.out.println(refused);
            }
        }
    }

    /// Hashes results of the arithmetic that is Java's own: sums, exponentials, norms, products, the optimiser.
    static final class Bits {
        public static void main(String[] arguments) {
            System.out.println(ofRowArithmetic());
        }

        static String ofRowArithmetic() {
            try (var backend = new CpuBackend(1, new FewRows(new VectorGemm())); var world = new World(backend, 0, 11)) {
                var x = world.activations("x", 1, 7, 45);
                var weight = world.activations("weight", 1, 45);
                var rstd = world.poisoned("rstd", DType.FLOAT32, 7);
                var y = world.output("y", 7, 45);
                backend.norm().rmsNorm(x.tensor(), weight.tensor(), 1e-6f, y, rstd);
                var gated = world.output("gated", 7, 45);
                backend.elementwise().gated(GatedActivation.SWIGLU, x.tensor(), y, gated);
                var q = x.tensor().reshape(7, 1, 45);
                var shape = new Shape(1, 1, 45, 45, 0.3f, 0, null);
                var out = world.output("out", 7, 1, 45);
                var lse = world.poisoned("lse", DType.FLOAT32, 7, 1);
                try (var scratch = world.scratch()) {
                    backend.attention().forward(q, q, q, world.segments(2, 5), shape, out, lse, scratch);
                }
                return Stream.of(y, rstd, gated, out, lse).map(tensor -> hash(world, tensor)).toList()
                        + adamw(world, weight.tensor(), OptimizerState.EXACT) + adamw(world, weight.tensor(), OptimizerState.LEAN);
            }
        }

        private static String adamw(World world, Tensor gradients, OptimizerState state) {
            try (var run = world.backend().scope(Lifetime.RUN, "adamw")) {
                var arena = world.backend().optimizer().arena(run, 45, state);
                world.upload(arena.values(), world.read(gradients));
                world.upload(arena.gradients(), world.read(gradients));
                world.backend().optimizer().update(arena, new AdamW(0.01, 0.9, 0.999, 1e-8, 0.1, 1, 1),
                        world.poisoned("norm", DType.FLOAT32, 1));
                return hash(world, arena.values());
            }
        }

        private static String hash(World world, Tensor tensor) {
            return Integer.toHexString(Arrays.hashCode(world.read(tensor)));
        }
    }
}
