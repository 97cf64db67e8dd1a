package dev.sluice.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.invoke.MethodHandle;
import java.util.HashMap;
import java.util.Map;

/// Records what the compute stream is given as a CUDA graph.
final class StreamRecorder implements Recorder {
    /// Calls that are no orders to the stream may go on: growing memory, finding kernels.
    private static final int RELAXED = 2;
    private static final long NO_FLAGS = 0;

    private final Device device;
    private final DriverLibrary library;
    private final MethodHandle begin;
    private final MethodHandle end;
    private final MethodHandle instantiate;
    private final MethodHandle launch;
    private final MethodHandle destroyGraph;
    private final MethodHandle destroyExecutable;

    StreamRecorder(Device device) {
        this.device = device;
        this.library = device.library();
        this.begin = library.function("cuStreamBeginCapture_v2", JAVA_LONG, JAVA_INT);
        this.end = library.function("cuStreamEndCapture", JAVA_LONG, ADDRESS);
        this.instantiate = library.function("cuGraphInstantiateWithFlags", ADDRESS, JAVA_LONG, JAVA_LONG);
        this.launch = library.function("cuGraphLaunch", JAVA_LONG, JAVA_LONG);
        this.destroyGraph = library.function("cuGraphDestroy", JAVA_LONG);
        this.destroyExecutable = library.function("cuGraphExecDestroy", JAVA_LONG);
    }

    @Override
    public Recording record(Runnable work) {
        device.checkThread();
        Map<String, Long> before = device.launches();
        library.check(DriverLibrary.call(begin, device.stream(), RELAXED), "begin of a recording");
        device.recording(true);
        boolean whole = false;
        try {
            work.run();
            whole = true;
        } finally {
            device.recording(false);
            if (!whole) {
                abandon(before);
            }
        }
        return finish(before);
    }

    private void abandon(Map<String, Long> before) {
        taken(before);
        try (var arena = Arena.ofConfined()) {
            var graph = arena.allocate(JAVA_LONG);
            if (DriverLibrary.call(end, device.stream(), graph) == DriverLibrary.SUCCESS) {
                DriverLibrary.call(destroyGraph, graph.get(JAVA_LONG, 0));
            }
        }
    }

    private Recording finish(Map<String, Long> before) {
        Map<String, Long> launches = taken(before);
        try (var arena = Arena.ofConfined()) {
            var handle = arena.allocate(JAVA_LONG);
            library.check(DriverLibrary.call(end, device.stream(), handle), "end of a recording");
            long graph = handle.get(JAVA_LONG, 0);
            try {
                library.check(DriverLibrary.call(instantiate, handle, graph, NO_FLAGS), "making a recording ready");
            } finally {
                DriverLibrary.call(destroyGraph, graph);
            }
            return new Graph(handle.get(JAVA_LONG, 0), launches);
        }
    }

    /// Launches since then, which are taken back: what is recorded did not run.
    private Map<String, Long> taken(Map<String, Long> before) {
        var launches = new HashMap<String, Long>();
        device.launches().forEach((name, count) -> {
            if (count > before.getOrDefault(name, 0L)) {
                launches.put(name, count - before.getOrDefault(name, 0L));
            }
        });
        launches.forEach((name, count) -> device.count(name, -count));
        return launches;
    }

    /// Makes and plays on the device's thread.
    private final class Graph implements Recording {
        private final long executable;
        private final Map<String, Long> launches;

        Graph(long executable, Map<String, Long> launches) {
            this.executable = executable;
            this.launches = launches;
        }

        @Override
        public void play() {
            device.checkThread();
            library.check(DriverLibrary.call(launch, executable, device.stream()), "launch of a recording");
            launches.forEach(device::count);
        }

        @Override
        public void close() {
            device.synchronize();
            library.check(DriverLibrary.call(destroyExecutable, executable), "release of a recording");
        }
    }
}
