package dev.sluice.model;

import dev.sluice.model.checkpoint.Floats;
import dev.sluice.model.safetensors.SafetensorsFile;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/// Tensors of a file as float arrays, and how far two of them are apart.
public final class Tensors {
    private Tensors() {}

    public static Map<String, float[]> read(Path path) {
        try (var arena = Arena.ofConfined()) {
            var file = SafetensorsFile.open(path, arena);
            var tensors = new TreeMap<String, float[]>();
            file.tensors().forEach((name, entry) -> {
                float[] numbers = new float[Math.toIntExact(entry.elements())];
                Floats.decode(entry.type(), file.data(entry), 0, numbers);
                tensors.put(name, numbers);
            });
            return tensors;
        }
    }

    public static float[] flat(float[][] rows) {
        float[] flat = new float[rows.length * rows[0].length];
        for (int i = 0; i < rows.length; i++) {
            System.arraycopy(rows[i], 0, flat, i * rows[0].length, rows[0].length);
        }
        return flat;
    }

    /// Norm of the difference over the norm of what was expected.
    public static double relativeError(float[] expected, float[] actual) {
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < expected.length; i++) {
            difference += Math.pow((double) expected[i] - actual[i], 2);
            norm += Math.pow(expected[i], 2);
        }
        return expected.length == actual.length ? Math.sqrt(difference) / (Math.sqrt(norm) + 1e-30) : Double.POSITIVE_INFINITY;
    }
}
