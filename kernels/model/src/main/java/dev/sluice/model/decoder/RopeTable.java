package dev.sluice.model.decoder;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.RotaryOps.Pairing;
import dev.sluice.model.UnsupportedModelException;
import dev.sluice.model.config.RopeConfig;
import dev.sluice.model.config.RopeFrequencies;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Cosines and sines of every position, [positions, rotated / 2] each. It is as long as the longest sequence seen so
/// far, rounded up to a power of two, and only grows between steps.
final class RopeTable implements AutoCloseable {
    private static final int SHORTEST = 512;

    private final Backend backend;
    private final RopeConfig config;
    private final RopeFrequencies frequencies;
    private Scope scope;
    private Tensor cos;
    private Tensor sin;

    RopeTable(Backend backend, RopeConfig config) {
        this.backend = backend;
        this.config = config;
        this.frequencies = RopeFrequencies.of(config);
    }

    /// Makes sure that positions below `positions` are there.
    ///
    /// @throws UnsupportedModelException if a dynamic rope would change its frequencies for so long a sequence
    void require(int positions) {
        if (config.scaling() instanceof RopeConfig.Scaling.Dynamic(double _, int maxPositions) && positions > maxPositions) {
            throw new UnsupportedModelException("a sequence of " + positions + " tokens is longer than the model's "
                    + maxPositions + " positions, where its dynamic rope changes; lower max_length");
        }
        if (cos == null || cos.dim(0) < positions) {
            close();
            reserve(positions);
            fill();
        }
    }

    /// Makes room for positions below `positions`, without filling it.
    void reserve(int positions) {
        int rounded = Math.max(SHORTEST, Integer.highestOneBit(positions - 1) << 1);
        int pairs = frequencies.inverse().length;
        scope = backend.scope(Lifetime.RUN, "rope");
        cos = scope.allocate("rope.cos", DType.FLOAT32, rounded, pairs);
        sin = scope.allocate("rope.sin", DType.FLOAT32, rounded, pairs);
    }

    Pairing pairing() {
        return config.pairing();
    }

    Tensor cos() {
        return cos;
    }

    Tensor sin() {
        return sin;
    }

    long bytes() {
        return scope == null ? 0 : scope.bytes();
    }

    @Override
    public void close() {
        if (scope != null) {
            scope.close();
        }
    }

    private void fill() {
        int pairs = frequencies.inverse().length;
        try (var arena = Arena.ofConfined()) {
            MemorySegment cosines = arena.allocate(cos.bytes(), Long.BYTES);
            MemorySegment sines = arena.allocate(sin.bytes(), Long.BYTES);
            for (int position = 0; position < cos.dim(0); position++) {
                for (int pair = 0; pair < pairs; pair++) {
                    float angle = position * frequencies.inverse()[pair];
                    long at = (long) position * pairs + pair;
                    cosines.setAtIndex(ValueLayout.JAVA_FLOAT, at, (float) (Math.cos(angle) * frequencies.attentionFactor()));
                    sines.setAtIndex(ValueLayout.JAVA_FLOAT, at, (float) (Math.sin(angle) * frequencies.attentionFactor()));
                }
            }
            backend.upload(cosines, cos);
            backend.upload(sines, sin);
            backend.synchronize();
        }
    }
}
