package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Replay;
import dev.sluice.compute.Scope;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;

/// Runs work when its key is new, records it the second time, and plays the recording from then on. The recordings used last are
/// kept. Work that cannot be recorded always runs.
final class GraphReplay implements Replay {
    static final int MOST_RECORDINGS = 8;
    private static final int MOST_KEYS = 512;
    private static final System.Logger LOG = System.getLogger(GraphReplay.class.getName());

    private final Recorder recorder;
    private final Map<Place, Recorded> recorded = new LinkedHashMap<>(MOST_RECORDINGS, 0.75f, true);
    private final Map<Place, State> states = new LinkedHashMap<>();
    private long replayed;

    /// Equal work at the same addresses.
    private record Place(Object key, long address) {}

    private enum State {
        SEEN,
        REFUSED
    }

    /// @param bytes of memory behind the place that the work takes
    private record Recorded(Recorder.Recording recording, long bytes) {
        /// The memory is allocated although nothing gets its address: it may have been given back meanwhile.
        void play(Scope scope) {
            try (Scope own = scope.child("recorded work")) {
                own.allocate("recorded work", DType.UINT8, bytes);
                recording.play();
            }
        }
    }

    GraphReplay(Recorder recorder) {
        this.recorder = recorder;
    }

    @Override
    public void run(Object key, Scope scope, Consumer<Scope> work) {
        var place = new Place(key, nextAddress(scope));
        var known = recorded.get(place);
        if (known != null) {
            known.play(scope);
            replayed++;
        } else if (states.putIfAbsent(place, State.SEEN) == State.SEEN) {
            record(place, scope, work);
        } else {
            NONE.run(key, scope, work);
            dropEldest(states, MOST_KEYS);
        }
    }

    private static long nextAddress(Scope scope) {
        try (Scope own = scope.child("address")) {
            return own.allocate("address", DType.UINT8, 0).address();
        }
    }

    private void record(Place place, Scope scope, Consumer<Scope> work) {
        Recorded made;
        try (Scope own = scope.child("work")) {
            var recording = recorder.record(() -> work.accept(own));
            made = new Recorded(recording, own.peakBytes());
        } catch (RuntimeException e) {
            LOG.log(System.Logger.Level.WARNING, "work {0} is launched piece by piece, it cannot be recorded: {1}", place.key, e.toString());
            states.put(place, State.REFUSED);
            NONE.run(place.key, scope, work);
            return;
        }
        recorded.put(place, made);
        made.play(scope);
        if (recorded.size() > MOST_RECORDINGS) {
            dropEldest(recorded, MOST_RECORDINGS).recording.close();
        }
    }

    private static <T> T dropEldest(Map<Place, T> from, int most) {
        if (from.size() <= most) {
            return null;
        }
        Iterator<T> values = from.values().iterator();
        T eldest = values.next();
        values.remove();
        return eldest;
    }

    @Override
    public long replayed() {
        return replayed;
    }

    @Override
    public void close() {
        recorded.values().forEach(one -> one.recording.close());
        recorded.clear();
        states.clear();
    }
}
