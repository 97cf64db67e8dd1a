package dev.sluice.model.decoder;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Segments;
import dev.sluice.compute.Tensor;
import dev.sluice.model.TokenRow;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;

/// One micro-batch in a backend's memory.
///
/// @param ids INT32 [tokens]
/// @param positions INT32 [tokens], restarting in every segment
/// @param labels INT32 [tokens]
public record Batch(Tensor ids, Tensor positions, Tensor labels, Segments segments) {
    /// Copies a row into a step's scope.
    ///
    /// @throws IllegalArgumentException if an id lies outside the vocabulary
    public static Batch of(Backend backend, Scope step, TokenRow row, int vocabulary) {
        requireKnown(row.ids(), vocabulary);
        int[] boundaries = row.boundaries();
        return new Batch(upload(backend, step, "ids", row.ids()), upload(backend, step, "positions", row.positions()),
                upload(backend, step, "labels", row.labels()),
                new Segments(boundaries, upload(backend, step, "segments", boundaries)));
    }

    public int tokens() {
        return segments.tokens();
    }

    /// Copies integers into a new INT32 tensor.
    public static Tensor upload(Backend backend, Scope scope, String name, int[] values) {
        Tensor tensor = scope.allocate(name, DType.INT32, values.length);
        try (var arena = Arena.ofConfined()) {
            backend.upload(arena.allocateFrom(ValueLayout.JAVA_INT, values), tensor);
        }
        return tensor;
    }

    private static void requireKnown(int[] ids, int vocabulary) {
        for (int i = 0; i < ids.length; i++) {
            if (ids[i] < 0 || ids[i] >= vocabulary) {
                throw new IllegalArgumentException("token row: id " + ids[i] + " at index " + i
                        + " is outside the model's vocabulary of " + vocabulary
                        + "; the row was prepared with another tokenizer");
            }
        }
    }
}
