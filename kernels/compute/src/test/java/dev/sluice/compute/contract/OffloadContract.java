package dev.sluice.compute.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.compute.Offload;
import dev.sluice.compute.Tensor;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// Tensors that wait in the host's memory, on backends whose own memory is another.
public interface OffloadContract extends Contract {
    private Offload offload() {
        var offload = backend().offload();
        assumeTrue(offload.isPresent(), "host memory is this backend's own");
        return offload.get();
    }

    /// Five results pass through two buffers while nothing waits for the device: a copy that is not in order with the operations before
    /// and behind it shows.
    @Test
    default void tensorsComeBackAsTheyWent() {
        int count = 1 << 20;
        try (var world = world(5); var offload = offload()) {
            var inputs = IntStream.range(0, 6).mapToObj(i -> world.activations("input", 1, 1, count).tensor()).toList();
            var buffers = List.of(world.output("even", 1, count), world.output("odd", 1, count));
            var wanted = IntStream.range(0, 5).mapToObj(_ -> world.output("wanted", 1, count)).toList();
            var found = IntStream.range(0, 5).mapToObj(_ -> world.output("found", 1, count)).toList();
            for (int i = 0; i < 5; i++) {
                backend().elementwise().add(inputs.get(i), inputs.get(i + 1), wanted.get(i));
                if (i >= 2) {
                    offload.await(i - 2);
                }
                backend().elementwise().add(inputs.get(i), inputs.get(i + 1), buffers.get(i % 2));
                offload.store(i, buffers.get(i % 2));
            }
            offload.fetch(4, buffers.get(0));
            for (int i = 4; i >= 0; i--) {
                if (i > 0) {
                    offload.fetch(i - 1, buffers.get((i - 1) % 2));
                }
                offload.await(i);
                copy(buffers.get(i % 2), found.get(i));
            }
            for (int i = 0; i < 5; i++) {
                assertArrayEquals(world.read(wanted.get(i)), world.read(found.get(i)), "slot " + i);
            }
        }
    }

    private void copy(Tensor from, Tensor to) {
        backend().elementwise().copyColumns(from, 0, to, 0, Math.toIntExact(from.dim(-1)));
    }

    @Test
    default void slotsGrowAndKeepWhatTheyHave() {
        try (var world = world(6); var offload = offload()) {
            var small = world.activations("small", 1, 3, 1000);
            var large = world.activations("large", 1, 3, 5000);
            var back = world.output("back", 3, 5000);
            assertEquals(0, offload.bytes());
            offload.store(0, small.tensor());
            offload.store(0, large.tensor());
            offload.store(0, small.tensor());
            offload.store(0, large.tensor());
            assertEquals(Offload.capacity(large.tensor().bytes()), offload.bytes());
            offload.fetch(0, back);
            offload.await(0);
            assertArrayEquals(large.values(), world.read(back));
        }
    }

    @Test
    default void slotWithLessIsRefused() {
        try (var world = world(7); var offload = offload()) {
            var few = world.activations("few", 1, 1, 100);
            var many = world.output("many", 1, 10_000);
            offload.store(3, few.tensor());
            var refusal = assertThrows(IllegalArgumentException.class, () -> offload.fetch(3, many));
            assertTrue(refusal.getMessage().contains("slot 3") && refusal.getMessage().contains("many"), refusal.getMessage());
            assertThrows(IllegalArgumentException.class, () -> offload.fetch(2, many));
        }
    }
}
