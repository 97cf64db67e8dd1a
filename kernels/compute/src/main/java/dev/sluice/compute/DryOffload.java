package dev.sluice.compute;

import java.util.HashMap;
import java.util.Map;

/// Counts what an offload would take.
public final class DryOffload implements Offload {
    private final Map<Integer, Long> slots = new HashMap<>();

    @Override
    public void store(int slot, Tensor from) {
        slots.merge(slot, Offload.capacity(from.bytes()), Math::max);
    }

    @Override
    public void fetch(int slot, Tensor to) {
        // There is nothing to copy.
    }

    @Override
    public void await(int slot) {
        // Nothing runs.
    }

    @Override
    public long bytes() {
        return slots.values().stream().mapToLong(Long::longValue).sum();
    }

    @Override
    public void close() {
        slots.clear();
    }
}
