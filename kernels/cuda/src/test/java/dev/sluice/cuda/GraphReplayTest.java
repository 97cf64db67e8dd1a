package dev.sluice.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.sluice.compute.Backend;
import dev.sluice.compute.Backends;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Scope;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// When work runs, is recorded and is replayed; the device is not needed for that.
class GraphReplayTest {
    private static Backend memory;
    private final List<String> events = new ArrayList<>();
    private final GraphReplay replay = new GraphReplay(this::record);
    private RuntimeException obstacle;

    @BeforeAll
    static void open() {
        memory = Backends.installed().choose("cpu").backend();
    }

    @AfterAll
    static void close() {
        memory.close();
    }

    /// Work that is recorded does not run: its event is replaced by that of the recording.
    private Recorder.Recording record(Runnable work) {
        if (obstacle != null) {
            throw obstacle;
        }
        int before = events.size();
        work.run();
        String what = events.removeLast();
        assertEquals(before, events.size());
        events.add("record " + what);
        return new Recorder.Recording() {
            @Override
            public void play() {
                events.add("play " + what);
            }

            @Override
            public void close() {
                events.add("forget " + what);
            }
        };
    }

    private void run(Object key) {
        run(key, scope -> {
            scope.allocate("memory", DType.FLOAT32, 64);
            events.add(key.toString());
        });
    }

    private void run(Object key, Consumer<Scope> work) {
        try (Scope step = memory.scope(Lifetime.STEP, "step")) {
            step.allocate("inputs", DType.FLOAT32, 16);
            replay.run(key, step, work);
        }
    }

    @Test
    void workRunsOnceIsRecordedAndThenReplayed() {
        for (int i = 0; i < 4; i++) {
            run("a");
        }
        assertEquals(List.of("a", "record a", "play a", "play a", "play a"), events);
        assertEquals(2, replay.replayed());
    }

    @Test
    void everyKeyHasARecordingOfItsOwn() {
        List.of("a", "b", "a", "b", "a").forEach(this::run);
        assertEquals(List.of("a", "b", "record a", "play a", "record b", "play b", "play a"), events);
    }

    @Test
    void recordingIsNotUsedAtOtherAddresses() {
        run("a");
        run("a");
        try (Scope step = memory.scope(Lifetime.STEP, "step")) {
            step.allocate("more inputs", DType.FLOAT32, 4096);
            replay.run("a", step, _ -> events.add("elsewhere"));
        }
        assertEquals("elsewhere", events.getLast());
    }

    @Test
    void replayedWorkTakesTheMemoryThatItWasRecordedWith() {
        run("a");
        run("a");
        try (Scope step = memory.scope(Lifetime.STEP, "step")) {
            step.allocate("inputs", DType.FLOAT32, 16);
            long before = step.peakBytes();
            replay.run("a", step, _ -> { });
            assertEquals("play a", events.getLast());
            assertEquals(before + 256, step.peakBytes());
        }
    }

    @Test
    void workThatCannotBeRecordedKeepsRunning() {
        obstacle = new IllegalStateException("a copy from the device while work is recorded");
        run("a");
        run("a");
        obstacle = null;
        run("a");
        assertEquals(List.of("a", "a", "a"), events);
        assertEquals(0, replay.replayed());
    }

    @Test
    void workThatFailsSaysSo() {
        run("a");
        assertThrows(IllegalArgumentException.class, () -> run("a", _ -> {
            throw new IllegalArgumentException("label 7");
        }));
    }

    @Test
    void recordingUsedLongestAgoIsForgotten() {
        for (int key = 0; key <= GraphReplay.MOST_RECORDINGS; key++) {
            run(key);
            run(key);
            run(0);
        }
        assertEquals(List.of("forget 1"), events.stream().filter(event -> event.startsWith("forget")).toList());
        events.clear();
        replay.close();
        assertEquals(GraphReplay.MOST_RECORDINGS, events.size());
    }
}
