package dev.sluice.bench.operation;

import dev.sluice.bench.machine.Spread;
import dev.sluice.bench.operation.Operation.Call;
import dev.sluice.compute.Backend;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.probe.RandomTensors;
import java.util.ArrayList;
import java.util.List;

/// Times an operation over so many sets of tensors, one after the other, that none is in the cache when its turn comes.
final class Stopwatch {
    private static final int BATCHES = 9;
    private static final int MOST_COPIES = 256;
    private static final int MOST_CALLS = 100;
    private static final double SHORTEST_BATCH = 0.02;
    private static final int CACHES = 3;

    private final Backend backend;
    private final long cacheBytes;

    Stopwatch(Backend backend, long cacheBytes) {
        this.backend = backend;
        this.cacheBytes = cacheBytes;
    }

    /// @param time of one call in milliseconds; each number behind it is the mean of a batch of calls
    /// @param copies sets of tensors that were rotated
    record Timing(Spread time, int copies) {}

    Timing time(Operation operation) {
        int copies = (int) Math.clamp(Math.ceil(CACHES * cacheBytes / Math.max(1, operation.work().bytes())), 1, MOST_COPIES);
        try (var run = backend.scope(Lifetime.RUN, "bench"); var scratch = backend.scope(Lifetime.STEP, "bench")) {
            var calls = new ArrayList<Call>();
            for (int i = 0; i < copies; i++) {
                calls.add(operation.setup().copy(new RandomTensors(backend, run), scratch));
            }
            return new Timing(time(calls), copies);
        }
    }

    private Spread time(List<Call> copies) {
        restore(copies);
        seconds(copies, 0, copies.size());
        restore(copies);
        double one = seconds(copies, 0, copies.size()) / copies.size();
        int most = copies.getFirst().restore() == null ? MOST_CALLS : copies.size();
        int calls = (int) Math.clamp(Math.ceil(SHORTEST_BATCH / one), 1, most);
        double[] times = new double[BATCHES];
        for (int batch = 0; batch < BATCHES; batch++) {
            restore(copies);
            times[batch] = seconds(copies, batch * calls, calls) * 1e3 / calls;
        }
        return Spread.of(times);
    }

    private static void restore(List<Call> copies) {
        for (Call copy : copies) {
            if (copy.restore() instanceof Runnable restore) {
                restore.run();
            }
        }
    }

    private double seconds(List<Call> copies, int first, int calls) {
        backend.synchronize();
        long began = System.nanoTime();
        for (int i = 0; i < calls; i++) {
            copies.get((first + i) % copies.size()).run();
        }
        backend.synchronize();
        return (System.nanoTime() - began) / 1e9;
    }
}
