package dev.sluice.compute.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.DType;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.compute.contract.World.LoraTwin;
import dev.sluice.compute.contract.World.Twin;
import dev.sluice.compute.op.LossOps;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Cross entropy from hidden states.
public interface LossContract extends Contract {
    float GRADIENT_SCALE = 0.125f;

    /// tokens, vocabulary, rank of the head's adapter, share of ignored tokens in percent
    @ParameterizedTest
    @CsvSource({"1,7,0,0", "63,50,0,30", "64,37,4,0", "65,129,0,90", "129,64,8,50", "700,33,4,10", "5,40,0,100"})
    default void crossEntropyAndItsGradientsMatchTheirReference(int tokens, int vocabulary, int rank, int ignoredPercent) {
        crossEntropy(world(tokens + vocabulary), tokens, vocabulary, rank, ignoredPercent);
    }

    @ParameterizedTest
    @CsvSource({"129,64,8,50", "700,33,4,10"})
    default void crossEntropyAddsToTheGradientsOfALeanRun(int tokens, int vocabulary, int rank, int ignoredPercent) {
        crossEntropy(world(tokens + vocabulary).withLeanGradients(), tokens, vocabulary, rank, ignoredPercent);
    }

    private static void crossEntropy(World world, int tokens, int vocabulary, int rank, int ignoredPercent) {
        try (world; var scratch = world.scratch()) {
            var head = new Case(world, tokens, vocabulary, rank, ignoredPercent);
            var dHidden = world.output("dHidden", tokens, Case.HIDDEN);
            var z = rank == 0 ? null : world.output("headZ", tokens, rank);
            world.backend().loss().crossEntropy(head.hidden.tensor(), head.linear, head.labelTensor, head.scale, head.nll, z,
                    dHidden, scratch);
            world.assertClose(head.nll, head.graph.values(head.nllNodes));
            double[] seeds = new double[tokens];
            Arrays.fill(seeds, GRADIENT_SCALE);
            double[] gradient = head.graph.backward(head.nllNodes, seeds);
            world.assertClose(dHidden, Autograd.pick(gradient, head.hiddenNodes));
            head.assertIgnoredRowsAreZero(dHidden);
            if (rank > 0) {
                world.assertClose(head.lora.gradA().tensor(), World.sum(head.lora.gradA().values(), Autograd.pick(gradient, head.aNodes)));
                world.assertClose(head.lora.gradB().tensor(), World.sum(head.lora.gradB().values(), Autograd.pick(gradient, head.bNodes)));
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"1,7,0,0", "65,129,0,90", "700,33,4,10"})
    default void scoreMatchesItsReference(int tokens, int vocabulary, int rank, int ignoredPercent) {
        try (var world = world(tokens * 7L + vocabulary); var scratch = world.scratch()) {
            var head = new Case(world, tokens, vocabulary, rank, ignoredPercent);
            var predictions = world.poisoned("predictions", DType.INT32, tokens);
            world.backend().loss().score(head.hidden.tensor(), head.linear, head.labelTensor, head.nll, predictions, scratch);
            world.assertClose(head.nll, head.graph.values(head.nllNodes));
            int[] found = world.readInts(predictions);
            for (int t = 0; t < tokens; t++) {
                int row = t * vocabulary;
                double best = IntStream.range(0, vocabulary).mapToDouble(i -> head.graph.value(head.logitNodes[row + i])).max().orElseThrow();
                double chosen = head.graph.value(head.logitNodes[row + found[t]]);
                assertTrue(best - chosen <= 100 * world.tolerance(), "token " + t + ": " + chosen + " instead of " + best);
            }
        }
    }

    @Test
    default void equalLogitsPredictTheLowerId() {
        try (var world = world(1); var scratch = world.scratch()) {
            var hidden = world.activations("hidden", 1, 3, 8);
            var weight = world.given("head", world.backend().activationType(), new double[20 * 8], 20, 8);
            var predictions = world.poisoned("predictions", DType.INT32, 3);
            var nll = world.poisoned("nll", DType.FLOAT32, 3);
            world.backend().loss().score(hidden.tensor(), new Linear(new Weight.Dense(weight.tensor()), null, null),
                    world.ints("labels", new int[] {4, LossOps.IGNORED, 19}, 3), nll, predictions, scratch);
            assertArrayEquals(new int[3], world.readInts(predictions));
            world.assertClose(nll, new double[] {Math.log(20), 0, Math.log(20)});
        }
    }

    @Test
    default void labelOutsideTheVocabularyIsRefused() {
        try (var world = world(2); var scratch = world.scratch()) {
            var head = new Case(world, 3, 10, 0, 0);
            var wrong = world.ints("labels", new int[] {1, 10, 2}, 3);
            var error = assertThrows(IllegalArgumentException.class, () -> {
                world.backend().loss().crossEntropy(head.hidden.tensor(), head.linear, wrong, head.scale, head.nll, null,
                        world.output("dHidden", 3, Case.HIDDEN), scratch);
                world.backend().synchronize();
            });
            assertTrue(error.getMessage().contains("10"), error.getMessage());
        }
    }

    /// A head with labels and the reference of its losses.
    final class Case {
        static final int HIDDEN = 24;
        private static final double SCALE = 0.5;

        final Twin hidden;
        final LoraTwin lora;
        final Linear linear;
        final Tensor labelTensor;
        final Tensor scale;
        final Tensor nll;
        final Autograd graph = new Autograd();
        final int[] hiddenNodes;
        final int[] aNodes;
        final int[] bNodes;
        final int[] logitNodes;
        final int[] nllNodes;
        private final World world;
        private final int[] labels;

        Case(World world, int tokens, int vocabulary, int rank, int ignoredPercent) {
            this.world = world;
            hidden = world.activations("hidden", 1, tokens, HIDDEN);
            Twin weight = world.activations("head", 0.5, vocabulary, HIDDEN);
            lora = rank == 0 ? null : world.lora("headLora", rank, vocabulary, HIDDEN, SCALE);
            linear = new Linear(new Weight.Dense(weight.tensor()), null, lora == null ? null : lora.lora());
            labels = IntStream.range(0, tokens).map(_ -> world.random().nextInt(100) < ignoredPercent ? LossOps.IGNORED
                    : world.random().nextInt(vocabulary)).toArray();
            labelTensor = world.ints("labels", labels, tokens);
            scale = world.scalar("scale", GRADIENT_SCALE);
            nll = world.poisoned("nll", DType.FLOAT32, tokens);
            hiddenNodes = graph.leaves(hidden.values());
            aNodes = lora == null ? new int[0] : graph.leaves(lora.a().values());
            bNodes = lora == null ? new int[0] : graph.leaves(lora.b().values());
            logitNodes = graph.linear(hiddenNodes, tokens, HIDDEN, graph.leaves(weight.values()), vocabulary);
            if (lora != null) {
                int[] low = graph.linear(graph.linear(hiddenNodes, tokens, HIDDEN, aNodes, rank), tokens, rank, bNodes, vocabulary);
                Arrays.setAll(logitNodes, i -> graph.add(logitNodes[i], graph.scale(low[i], SCALE)));
            }
            nllNodes = IntStream.range(0, tokens).map(t -> nll(t, vocabulary)).toArray();
        }

        private int nll(int token, int vocabulary) {
            if (labels[token] == LossOps.IGNORED) {
                return graph.leaf(0);
            }
            int[] row = Arrays.copyOfRange(logitNodes, token * vocabulary, (token + 1) * vocabulary);
            int total = graph.sum(Arrays.stream(row).map(graph::exp).toArray());
            return graph.sub(graph.log(total), row[labels[token]]);
        }

        void assertIgnoredRowsAreZero(Tensor dHidden) {
            double[] found = world.read(dHidden);
            for (int t = 0; t < labels.length; t++) {
                if (labels[t] == LossOps.IGNORED) {
                    assertArrayEquals(new double[HIDDEN], Arrays.copyOfRange(found, t * HIDDEN, (t + 1) * HIDDEN));
                }
            }
        }
    }
}
