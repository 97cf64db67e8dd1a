package dev.sluice.compute.probe;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Segments;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.compute.Workload;
import dev.sluice.compute.op.AttentionOps.Shape;
import dev.sluice.compute.op.ExpertOps.Experts;
import dev.sluice.compute.op.ExpertOps.Tape;
import java.util.Arrays;
import java.util.SortedMap;
import java.util.TreeMap;

/// Times a layer's most expensive operations, each forward and backward: a projection with its adapter, attention over one
/// document, and the experts under even and under skewed routing.
public final class SpeedProbe {
    private static final int REPEATS = 5;

    private final Backend backend;
    private final Workload workload;
    private final SortedMap<String, Double> milliseconds = new TreeMap<>();

    private SpeedProbe(Backend backend, Workload workload) {
        this.backend = backend;
        this.workload = workload;
    }

    /// Median milliseconds by operation.
    ///
    /// @throws dev.sluice.compute.OutOfMemoryException if one layer does not fit
    /// @throws RuntimeException what an operation refuses the workload with
    /// @throws IllegalArgumentException if it does not offer it at this shape
    public static SortedMap<String, Double> measure(Backend backend, Workload workload) {
        var probe = new SpeedProbe(backend, workload);
        probe.time("projection", probe::projection);
        if (workload.attention() != null) {
            probe.time("attention", probe::attention);
        }
        if (workload.experts() != null) {
            probe.time("experts, even", (tensors, scratch) -> probe.experts(tensors, scratch, 0));
            probe.time("experts, skewed", (tensors, scratch) -> probe.experts(tensors, scratch, 1));
        }
        return probe.milliseconds;
    }

    /// Makes the tensors and gives the call.
    private interface Setup {
        Runnable call(RandomTensors tensors, Scope scratch);
    }

    private void time(String operation, Setup setup) {
        try (var run = backend.scope(Lifetime.RUN, "speed"); var scratch = backend.scope(Lifetime.STEP, "speed")) {
            Runnable call = setup.call(new RandomTensors(backend, run), scratch);
            time(call);
            double[] times = new double[REPEATS];
            Arrays.setAll(times, _ -> time(call));
            Arrays.sort(times);
            milliseconds.put(operation, times[REPEATS / 2]);
        }
    }

    private double time(Runnable call) {
        backend.synchronize();
        long began = System.nanoTime();
        call.run();
        backend.synchronize();
        return (System.nanoTime() - began) / 1e6;
    }

    private Tensor stream(RandomTensors tensors, String name) {
        return tensors.activations(name, 1, workload.tokens(), workload.hidden());
    }

    private Runnable projection(RandomTensors tensors, Scope scratch) {
        int out = workload.attention() == null ? workload.hidden() : workload.attention().heads() * workload.attention().headDim();
        var layer = new Linear(new Weight.Dense(tensors.activations("weight", 0.02, out, workload.hidden())), null,
                Loras.random(tensors, out, workload.hidden(), workload.rank()));
        var x = stream(tensors, "x");
        var dx = stream(tensors, "dx");
        var z = tensors.zeros("z", backend.activationType(), workload.tokens(), workload.rank());
        var y = tensors.activations("y", 1, workload.tokens(), out);
        return () -> {
            backend.linear().forward(x, layer, z, y, scratch);
            backend.linear().backward(y, x, z, layer, dx, Accumulate.REPLACE, scratch);
        };
    }

    private Runnable attention(RandomTensors tensors, Scope scratch) {
        var attention = workload.attention();
        int tokens = workload.tokens();
        var shape = new Shape(attention.heads(), attention.kvHeads(), attention.headDim(), attention.valueDim(),
                (float) (1 / Math.sqrt(attention.headDim())), attention.window(),
                attention.sinks() ? tensors.zeros("sinks", DType.FLOAT32, attention.heads()) : null);
        var segments = new Segments(new int[] {0, tokens}, tensors.ints("starts", 0, tokens));
        var q = tensors.activations("q", 1, tokens, attention.heads(), attention.headDim());
        var k = tensors.activations("k", 1, tokens, attention.kvHeads(), attention.headDim());
        var v = tensors.activations("v", 1, tokens, attention.kvHeads(), attention.valueDim());
        var dOut = tensors.activations("dOut", 1, tokens, attention.heads(), attention.valueDim());
        var out = tensors.zeros("out", backend.activationType(), dOut.shape());
        var lse = tensors.zeros("lse", DType.FLOAT32, tokens, attention.heads());
        var dq = tensors.zeros("dq", backend.activationType(), q.shape());
        var dk = tensors.zeros("dk", backend.activationType(), k.shape());
        var dv = tensors.zeros("dv", backend.activationType(), v.shape());
        return () -> {
            backend.attention().forward(q, k, v, segments, shape, out, lse, scratch);
            backend.attention().backward(dOut, q, k, v, out, lse, segments, shape, dq, dk, dv, scratch);
        };
    }

    private Runnable experts(RandomTensors tensors, Scope scratch, double skew) {
        var experts = workload.experts();
        int width = experts.width();
        int hidden = workload.hidden();
        int count = experts.count();
        var layer = new Experts(new Weight.Dense(tensors.activations("gateUp", 0.02, count, 2L * width, hidden)),
                new Weight.Dense(tensors.activations("down", 0.02, count, hidden, width)),
                experts.bias() ? tensors.activations("gateUpBias", 1, count, 2L * width) : null,
                experts.bias() ? tensors.activations("downBias", 1, count, hidden) : null, experts.activation(),
                Loras.random(tensors, 2 * width, hidden, workload.rank(), count),
                Loras.random(tensors, hidden, width, workload.rank(), count));
        var routing = SkewedRouting.of(tensors, workload.tokens(), experts, skew);
        var tape = Tape.allocate(tensors.scope(), backend.activationType(), routing.rows(), layer);
        var x = stream(tensors, "x");
        var dOut = stream(tensors, "dOut");
        var out = stream(tensors, "out");
        var dWeights = tensors.zeros("dWeights", DType.FLOAT32, workload.tokens(), experts.topK());
        return () -> {
            backend.experts().forward(x, routing, layer, tape, out, Accumulate.REPLACE, scratch);
            backend.experts().backward(dOut, x, routing, layer, tape, out, Accumulate.REPLACE, dWeights, scratch);
        };
    }
}
