package dev.sluice.bench.machine;

import dev.sluice.bench.floor.Ceiling;
import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Weight;
import dev.sluice.compute.probe.RandomTensors;

/// The best that a backend itself reaches: one large square product, one large sum of two tensors.
final class MeasuredCeiling {
    private static final int TRIES = 25;
    private static final int HOST_PRODUCT = 1024;
    private static final int DEVICE_PRODUCT = 8192;
    private static final long SUM_BYTES = 256L << 20;

    private MeasuredCeiling() {}

    static Ceiling of(Backend backend) {
        var ceiling = new Ceiling(flops(backend), bytes(backend), "measured here");
        HostMemory.resetPeak();
        return ceiling;
    }

    private static double flops(Backend backend) {
        int n = backend.activationType() == DType.FLOAT32 ? HOST_PRODUCT : DEVICE_PRODUCT;
        try (var run = backend.scope(Lifetime.RUN, "ceiling"); var step = backend.scope(Lifetime.STEP, "ceiling")) {
            var tensors = new RandomTensors(backend, run);
            var x = tensors.activations("x", 1, n, n);
            var layer = new Linear(new Weight.Dense(tensors.activations("w", 0.02, n, n)), null, null);
            var y = tensors.zeros("y", backend.activationType(), n, n);
            return 2.0 * n * n * n / best(backend, () -> backend.linear().forward(x, layer, null, y, step));
        }
    }

    private static double bytes(Backend backend) {
        long elements = SUM_BYTES / backend.activationType().bytes();
        try (Scope run = backend.scope(Lifetime.RUN, "ceiling")) {
            var tensors = new RandomTensors(backend, run);
            var left = tensors.activations("left", 1, elements);
            var right = tensors.activations("right", 1, elements);
            var sum = tensors.zeros("sum", backend.activationType(), elements);
            return 3.0 * SUM_BYTES / best(backend, () -> backend.elementwise().add(left, right, sum));
        }
    }

    /// Seconds of the fastest of a few calls.
    private static double best(Backend backend, Runnable call) {
        double best = Double.POSITIVE_INFINITY;
        for (int i = 0; i < TRIES; i++) {
            backend.synchronize();
            long began = System.nanoTime();
            call.run();
            backend.synchronize();
            best = Math.min(best, (System.nanoTime() - began) / 1e9);
        }
        return best;
    }
}
