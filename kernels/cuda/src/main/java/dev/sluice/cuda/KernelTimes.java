package dev.sluice.cuda;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.TreeMap;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;

/// Time of every launch by device events, for performance work: started with `-Dsluice.cuda.times=true`, logged when the backend
/// is closed. The events cost a few microseconds a launch, so totals are a little above those of an unobserved run.
final class KernelTimes implements AutoCloseable {
    static final boolean WANTED = Boolean.getBoolean("sluice.cuda.times");
    private static final System.Logger LOG = System.getLogger(KernelTimes.class.getName());

    private final CUstream stream;
    private final List<Launched> launched = new ArrayList<>();

    private record Launched(String what, CUevent begin, CUevent end) {}

    KernelTimes(CUstream stream) {
        this.stream = stream;
    }

    void around(String what, Runnable launch) {
        var entry = new Launched(what, event(), event());
        JCudaDriver.cuEventRecord(entry.begin, stream);
        launch.run();
        JCudaDriver.cuEventRecord(entry.end, stream);
        launched.add(entry);
    }

    private static CUevent event() {
        var event = new CUevent();
        JCudaDriver.cuEventCreate(event, CUevent_flags.CU_EVENT_DEFAULT);
        return event;
    }

    /// One line a kind of launch, the most expensive first: times, median and total milliseconds.
    String table() {
        JCudaDriver.cuStreamSynchronize(stream);
        var times = new TreeMap<String, List<Float>>();
        for (var entry : launched) {
            float[] milliseconds = new float[1];
            JCudaDriver.cuEventElapsedTime(milliseconds, entry.begin, entry.end);
            times.computeIfAbsent(entry.what, _ -> new ArrayList<>()).add(milliseconds[0]);
        }
        var lines = new StringBuilder("   count  median ms    total ms  launch\n");
        times.entrySet().stream().sorted(Comparator.comparing(entry -> -total(entry.getValue()))).forEach(entry -> {
            var sorted = entry.getValue().stream().sorted().toList();
            lines.append(String.format(Locale.ROOT, "%8d %10.4f %11.3f  %s%n", sorted.size(), sorted.get(sorted.size() / 2), total(sorted),
                    entry.getKey()));
        });
        return lines.toString();
    }

    private static double total(List<Float> times) {
        return times.stream().mapToDouble(Float::doubleValue).sum();
    }

    @Override
    public void close() {
        if (!launched.isEmpty()) {
            LOG.log(System.Logger.Level.INFO, "kernel times\n" + table());
        }
        for (var entry : launched) {
            JCudaDriver.cuEventDestroy(entry.begin);
            JCudaDriver.cuEventDestroy(entry.end);
        }
        launched.clear();
    }
}
