package dev.sluice.model.peft;

import dev.sluice.model.UnsupportedModelException;
import dev.sluice.model.checkpoint.Floats;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.TensorNames;
import dev.sluice.model.safetensors.Checkpoint;
import dev.sluice.model.safetensors.Checkpoint.Stored;
import dev.sluice.model.safetensors.SafetensorsFile;
import dev.sluice.model.safetensors.TensorEntry;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;

/// Copies of the base model's head and embedding that PEFT puts into an adapter whose targets name them. They carry
/// nothing new unless they were trained or resized, which is not supported; so they are compared and then left out.
final class BaseCopies {
    private static final String PREFIX = "base_model.model.";

    private BaseCopies() {}

    /// Names such copies may have in an adapter, each with its tensor in the checkpoint.
    static Map<String, String> names(TensorNames names) {
        String head = names.head() + ".weight";
        String embedding = names.embedding() + ".weight";
        return Map.of(PREFIX + names.head() + ".base_layer.weight", head, PREFIX + head, head,
                PREFIX + names.embedding() + ".base_layer.weight", embedding, PREFIX + embedding, embedding);
    }

    /// @throws UnsupportedModelException if a copy differs from the base model
    static void requireUnchanged(Path base, DecoderConfig config, TensorNames names, Path adapterFolder) {
        try (var arena = Arena.ofConfined(); var checkpoint = Checkpoint.open(base)) {
            var file = SafetensorsFile.open(adapterFolder.resolve(AdapterReader.TENSORS), arena);
            names(names).forEach((copy, original) -> {
                TensorEntry entry = file.tensors().get(copy);
                Stored stored = stored(config, names, checkpoint, original);
                if (entry != null && !same(entry, file.data(entry), stored)) {
                    throw new UnsupportedModelException(file.path() + ": tensor " + copy + " is not the base model's "
                            + original + ": adapters that train or resize it are not supported");
                }
            });
        }
    }

    private static Stored stored(DecoderConfig config, TensorNames names, Checkpoint checkpoint, String original) {
        Stored stored = checkpoint.find(original);
        return stored == null && config.tiedEmbeddings()
                ? checkpoint.find(names.embedding() + ".weight") : stored;
    }

    private static boolean same(TensorEntry copy, MemorySegment data, Stored original) {
        if (original == null || !Arrays.equals(copy.shape(), original.entry().shape())) {
            return false;
        }
        int columns = Math.toIntExact(copy.shape()[1]);
        float[] left = new float[columns];
        float[] right = new float[columns];
        for (long row = 0; row < copy.shape()[0]; row++) {
            Floats.decode(copy.type(), data, row * columns, left);
            Floats.decode(original.entry().type(), original.data(), row * columns, right);
            if (!Arrays.equals(left, right)) {
                return false;
            }
        }
        return true;
    }
}
