package dev.sluice.model.decoder;

import dev.sluice.compute.Backend;
import dev.sluice.compute.Tensor;
import dev.sluice.model.checkpoint.Floats;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Function;

/// Small tensors as Java arrays.
public final class HostCopy {
    private HostCopy() {}

    /// The numbers of a tensor of any float type, after everything that writes them has finished.
    public static float[] floats(Backend backend, Tensor tensor) {
        return copy(backend, tensor, host -> {
            float[] numbers = new float[Math.toIntExact(tensor.elements())];
            Floats.decode(Floats.stored(tensor.dtype()), host, 0, numbers);
            return numbers;
        });
    }

    /// The numbers of an INT32 tensor.
    public static int[] ints(Backend backend, Tensor tensor) {
        return copy(backend, tensor, host -> host.toArray(ValueLayout.JAVA_INT));
    }

    private static <T> T copy(Backend backend, Tensor tensor, Function<MemorySegment, T> read) {
        try (var arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(Math.max(1, tensor.bytes()), Long.BYTES).asSlice(0, tensor.bytes());
            backend.download(tensor, host);
            return read.apply(host);
        }
    }
}
