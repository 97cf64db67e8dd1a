package dev.sluice.model.safetensors;

import com.fasterxml.jackson.databind.JsonNode;
import dev.sluice.model.InvalidFileException;
import dev.sluice.model.json.JsonFields;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/// All tensors of a checkpoint folder: one `model.safetensors`, or the shards that `model.safetensors.index.json` names.
public final class Checkpoint implements AutoCloseable {
    private static final String INDEX = "model.safetensors.index.json";
    private static final String SINGLE = "model.safetensors";

    private final Path folder;
    private final Arena arena = Arena.ofShared();
    private final Map<String, Stored> tensors = new HashMap<>();

    private Checkpoint(Path folder) {
        this.folder = folder;
    }

    /// A tensor and the file it lies in.
    public record Stored(SafetensorsFile file, TensorEntry entry) {
        public MemorySegment data() {
            return file.data(entry);
        }
    }

    /// Maps all files and checks their headers.
    ///
    /// @throws InvalidFileException naming the file and the tensor
    public static Checkpoint open(Path folder) {
        var checkpoint = new Checkpoint(folder);
        try {
            if (Files.exists(folder.resolve(INDEX))) {
                checkpoint.openShards();
            } else {
                checkpoint.openSingle();
            }
            return checkpoint;
        } catch (RuntimeException e) {
            checkpoint.close();
            throw e;
        }
    }

    /// The tensor of that name, or null.
    public Stored find(String name) {
        return tensors.get(name);
    }

    public Set<String> names() {
        return tensors.keySet();
    }

    public Path folder() {
        return folder;
    }

    /// Unmaps the files.
    @Override
    public void close() {
        arena.close();
    }

    private void openSingle() {
        if (!Files.exists(folder.resolve(SINGLE))) {
            throw new InvalidFileException(folder, "holds neither " + SINGLE + " nor " + INDEX);
        }
        var file = SafetensorsFile.open(folder.resolve(SINGLE), arena);
        file.tensors().values().forEach(entry -> tensors.put(entry.name(), new Stored(file, entry)));
    }

    private void openShards() {
        Path index = folder.resolve(INDEX);
        JsonNode map = JsonFields.read(index).get("weight_map");
        if (map == null || !map.isObject()) {
            throw new InvalidFileException(index, "weight_map must name the file of every tensor");
        }
        var files = new HashMap<String, SafetensorsFile>();
        for (String name : shardNames(index, map)) {
            files.put(name, SafetensorsFile.open(folder.resolve(name), arena));
        }
        map.properties().forEach(entry -> {
            var file = files.get(entry.getValue().textValue());
            var tensor = file.tensors().get(entry.getKey());
            if (tensor == null) {
                throw new InvalidFileException(file.path(), "tensor " + entry.getKey() + " is missing, though " + INDEX
                        + " says it is here");
            }
            tensors.put(entry.getKey(), new Stored(file, tensor));
        });
    }

    /// Shards are plain names in the same folder. (They may be links: that is how hub caches keep them.)
    private static Set<String> shardNames(Path index, JsonNode map) {
        var names = new TreeSet<String>();
        map.properties().forEach(entry -> {
            String name = entry.getValue().textValue();
            if (name == null || name.contains("/") || name.contains("\\") || name.indexOf('\0') >= 0
                    || !name.endsWith(".safetensors")) {
                throw new InvalidFileException(index, "tensor " + entry.getKey()
                        + " must lie in a .safetensors file of this folder, not in " + entry.getValue());
            }
            names.add(name);
        });
        return names;
    }
}
