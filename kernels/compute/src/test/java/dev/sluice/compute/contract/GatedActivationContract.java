package dev.sluice.compute.contract;

import dev.sluice.compute.op.GatedActivation;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Every gated activation, over inputs that reach beyond the clamps.
public interface GatedActivationContract extends Contract {
    @ParameterizedTest
    @CsvSource({"SWIGLU,17", "SWIGLU,1000", "CLAMPED_SWIGLU,1", "CLAMPED_SWIGLU,17", "CLAMPED_SWIGLU,1000", "GEGLU,1",
        "GEGLU,17", "GEGLU,1000", "BILINEAR,17", "BILINEAR,1000"})
    default void gatedActivationAndItsGradientsMatchTheirReference(GatedActivation activation, int width) {
        try (var world = world(width + activation.ordinal())) {
            var gate = world.activations("gate", 5, 3, width);
            var up = world.activations("up", 5, 3, width);
            var dOut = world.activations("dOut", 1, 3, width);
            var out = world.output("out", 3, width);
            var graph = new Autograd();
            int[] g = graph.leaves(gate.values());
            int[] u = graph.leaves(up.values());
            int[] y = IntStream.range(0, g.length).map(i -> graph.gated(activation, g[i], u[i])).toArray();
            var ops = world.backend().elementwise();
            ops.gated(activation, gate.tensor(), up.tensor(), out);
            world.assertClose(out, graph.values(y));
            ops.gatedBackward(activation, dOut.tensor(), gate.tensor(), up.tensor(), gate.tensor(), up.tensor());
            double[] gradient = graph.backward(y, dOut.values());
            world.assertClose(gate.tensor(), Autograd.pick(gradient, g));
            world.assertClose(up.tensor(), Autograd.pick(gradient, u));
        }
    }
}
