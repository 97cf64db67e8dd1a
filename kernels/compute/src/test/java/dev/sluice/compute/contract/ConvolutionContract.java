package dev.sluice.compute.contract;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Short causal convolutions over packed documents.
public interface ConvolutionContract extends Contract {
    @ParameterizedTest
    @CsvSource({"1,1,1,false", "7,3,3,false", "64,4,2,true", "17,4,40,true", "1000,3,9,false"})
    default void convolutionAndItsGradientMatchTheirReference(int width, int length, int longest, boolean biased) {
        int[] documents = {longest, 1, Math.max(1, longest / 2), 2};
        int tokens = Arrays.stream(documents).sum();
        try (var world = world(width + length)) {
            var x = world.activations("x", 1, tokens, width);
            var taps = world.activations("taps", 1, width, length);
            var bias = world.activations("bias", 1, width);
            var dy = world.activations("dy", 1, tokens, width);
            var y = world.output("y", tokens, width);
            var dx = world.output("dx", tokens, width);
            var segments = world.segments(documents);
            var graph = new Autograd();
            int[] nodes = graph.leaves(x.values());
            int[] results = new int[nodes.length];
            for (int document = 0; document < documents.length; document++) {
                for (int t = segments.starts()[document]; t < segments.starts()[document + 1]; t++) {
                    for (int c = 0; c < width; c++) {
                        int sum = graph.leaf(biased ? bias.values()[c] : 0);
                        for (int j = 0; j < length; j++) {
                            int from = t - (length - 1) + j;
                            if (from >= segments.starts()[document]) {
                                sum = graph.add(sum, graph.scale(nodes[from * width + c], taps.values()[c * length + j]));
                            }
                        }
                        results[t * width + c] = sum;
                    }
                }
            }
            world.backend().convolution().forward(x.tensor(), segments, taps.tensor(), biased ? bias.tensor() : null, y);
            world.assertClose(y, graph.values(results));
            world.backend().convolution().backward(dy.tensor(), segments, taps.tensor(), dx);
            world.assertClose(dx, Autograd.pick(graph.backward(results, dy.values()), nodes));
        }
    }

    @Test
    default void noDocumentHearsAnother() {
        try (var world = world(5)) {
            var taps = world.activations("taps", 1, 4, 3);
            var x = world.activations("x", 1, 6, 4);
            var whole = world.output("whole", 6, 4);
            var parts = world.output("parts", 6, 4);
            world.backend().convolution().forward(x.tensor(), world.segments(6), taps.tensor(), null, whole);
            world.backend().convolution().forward(x.tensor(), world.segments(4, 2), taps.tensor(), null, parts);
            double[] one = world.read(whole);
            double[] two = world.read(parts);
            assertTrue(Arrays.equals(one, 0, 16, two, 0, 16));
            assertTrue(!Arrays.equals(one, 16, 20, two, 16, 20));
        }
    }
}
