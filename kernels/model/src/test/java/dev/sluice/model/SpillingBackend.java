package dev.sluice.model;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DryOffload;
import dev.sluice.compute.MemoryStatus;
import dev.sluice.compute.Offload;
import dev.sluice.compute.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/// The CPU backend as if its memory was not the host's. Copies happen as late as they may, and a tensor that waits for one holds NaN: who
/// reads or overwrites a tensor without waiting trains other numbers.
public final class SpillingBackend {
    private SpillingBackend() {}

    /// @param real computes, and is closed with this one
    /// @param hostBytes free for offloads
    public static Backend of(Backend real, long hostBytes) {
        return wrap(real, hostBytes, LateOffload::new);
    }

    private static Backend wrap(Backend real, long hostBytes, Supplier<Offload> offload) {
        return (Backend) Proxy.newProxyInstance(Backend.class.getClassLoader(), new Class<?>[] {Backend.class},
                (_, method, arguments) -> switch (method.getName()) {
                    case "offload" -> Optional.of(offload.get());
                    case "hostMemory" -> new MemoryStatus(1L << 40, hostBytes);
                    case "dryRun" -> wrap(real.dryRun(), hostBytes, DryOffload::new);
                    default -> call(real, method, arguments);
                });
    }

    private static Object call(Backend real, Method method, Object[] arguments) throws Throwable {
        try {
            return method.invoke(real, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    private static final class LateOffload implements Offload {
        private static final byte RUBBISH = -1;

        private record Copy(int slot, Runnable work) {}

        private final Map<Integer, MemorySegment> slots = new HashMap<>();
        private final Deque<Copy> ordered = new ArrayDeque<>();

        @Override
        public void store(int slot, Tensor from) {
            slots.merge(slot, Arena.ofAuto().allocate(Offload.capacity(from.bytes())),
                    (held, fresh) -> held.byteSize() >= fresh.byteSize() ? held : fresh);
            ordered.add(new Copy(slot, () -> slots.get(slot).copyFrom(from.segment())));
        }

        @Override
        public void fetch(int slot, Tensor to) {
            ordered.forEach(copy -> copy.work.run());
            ordered.clear();
            to.segment().fill(RUBBISH);
            ordered.add(new Copy(slot, () -> to.segment().copyFrom(slots.get(slot).asSlice(0, to.bytes()))));
        }

        @Override
        public void await(int slot) {
            while (ordered.stream().anyMatch(copy -> copy.slot == slot)) {
                ordered.remove().work.run();
            }
        }

        @Override
        public long bytes() {
            return slots.values().stream().mapToLong(MemorySegment::byteSize).sum();
        }

        @Override
        public void close() {
            if (!ordered.isEmpty()) {
                throw new IllegalStateException("nothing waited for the copies of " + ordered.size() + " slots");
            }
        }
    }
}
