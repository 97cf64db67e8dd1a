package dev.sluice.model.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sluice.compute.DType;
import dev.sluice.model.InvalidFileException;
import dev.sluice.model.UnsupportedModelException;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.Families;
import dev.sluice.model.config.Family;
import dev.sluice.model.files.Folders;
import dev.sluice.model.json.JsonFields;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.lora.LoraSite;
import dev.sluice.model.peft.AdapterReader;
import dev.sluice.model.safetensors.Checkpoint;
import dev.sluice.model.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/// A base model with an adapter merged in, as a checkpoint of its own: `W + scale * B A` in float32, rounded once, under
/// the names that the family is released with.
public final class MergedCheckpoint {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String CONFIG = "config.json";
    private static final String INDEX = "model.safetensors.index.json";
    private static final List<String> TYPES = List.of("torch_dtype", "dtype");
    private static final List<String> WEIGHT_FILES = List.of(".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".pth",
            ".pt", ".gguf", ".h5", ".msgpack");
    /// Bytes of one shard; what is merged at a time lies in memory.
    private static final long SHARD = 4L << 30;

    private MergedCheckpoint() {}

    /// Writes the merged checkpoint, with the base's tokenizer and other small files. The folder appears whole or not at all.
    ///
    /// @param base a checkpoint folder
    /// @param adapter a PEFT adapter folder, in either layout
    /// @param storedAs type of merged weights, or null for the base's own; packed weights become bfloat16
    /// @throws InvalidFileException naming the file and tensor that is missing or damaged
    /// @throws IllegalArgumentException if the folder exists
    /// @throws UnsupportedModelException if the adapter updates a head that is the embedding table too
    public static void write(Path base, Path adapter, Path folder, DType storedAs) {
        write(base, adapter, folder, storedAs, SHARD);
    }

    static void write(Path base, Path adapter, Path folder, DType storedAs, long shardBytes) {
        if (Files.exists(folder)) {
            throw new IllegalArgumentException("merge: " + folder + " is there already; name a folder that is not");
        }
        JsonFields fields = Families.config(base);
        Family family = Families.of(fields);
        DecoderConfig config = family.read(fields);
        try (var checkpoint = Checkpoint.open(base)) {
            check(checkpoint, config, family);
            Adapter read = AdapterReader.read(base, config, family.names(), adapter);
            requireOwnHead(read, adapter);
            Folders.replace(folder, temporary -> {
                writeWeights(MergingSource.tensors(checkpoint, read, storedAs), temporary, shardBytes);
                copyOthers(base, temporary);
                writeConfig(base, temporary, storedAs);
                try (var merged = Checkpoint.open(temporary)) {
                    check(merged, config, family);
                }
            });
        }
    }

    private static void check(Checkpoint checkpoint, DecoderConfig config, Family family) {
        var checking = new CheckingSource(checkpoint);
        WeightTree.build(config, family.names(), checking);
        checking.requireNoFaults();
    }

    private static void requireOwnHead(Adapter adapter, Path folder) {
        if (adapter.config().tiedEmbeddings() && adapter.layout().find(-1, LoraSite.Kind.HEAD).isPresent()) {
            throw new UnsupportedModelException(folder + ": the adapter updates " + adapter.names().head()
                    + ", which is the embedding table in this model; merging would change both");
        }
    }

    private static void writeWeights(List<MergedTensor> tensors, Path folder, long shardBytes) throws IOException {
        List<List<MergedTensor>> shards = shards(tensors, shardBytes);
        var index = new TreeMap<String, String>();
        for (int i = 0; i < shards.size(); i++) {
            String name = shards.size() == 1 ? "model.safetensors" : String.format("model-%05d-of-%05d.safetensors", i + 1, shards.size());
            shards.get(i).forEach(tensor -> index.put(tensor.name(), name));
            writeShard(shards.get(i), folder.resolve(name));
        }
        if (shards.size() > 1) {
            long bytes = tensors.stream().mapToLong(MergedTensor::bytes).sum();
            Folders.writeForced(folder.resolve(INDEX), JSON.writerWithDefaultPrettyPrinter()
                    .writeValueAsBytes(new TreeMap<>(Map.of("metadata", Map.of("total_size", bytes), "weight_map", index))));
        }
    }

    private static List<List<MergedTensor>> shards(List<MergedTensor> tensors, long shardBytes) {
        var shards = new ArrayList<List<MergedTensor>>();
        long room = 0;
        for (MergedTensor tensor : tensors) {
            if (shards.isEmpty() || tensor.bytes() > room) {
                shards.add(new ArrayList<>());
                room = shardBytes;
            }
            shards.getLast().add(tensor);
            room -= tensor.bytes();
        }
        return shards;
    }

    private static void writeShard(List<MergedTensor> tensors, Path file) throws IOException {
        try (var arena = Arena.ofShared()) {
            var contents = new ArrayList<SafetensorsWriter.Content>();
            for (MergedTensor tensor : tensors) {
                var numbers = arena.allocate(tensor.bytes(), Long.BYTES);
                tensor.filling().into(numbers);
                contents.add(new SafetensorsWriter.Content(tensor.name(), tensor.type(), tensor.shape(), numbers));
            }
            SafetensorsWriter.write(file, Map.of("format", "pt"), contents);
        }
    }

    private static void copyOthers(Path base, Path folder) throws IOException {
        try (var files = Files.list(base)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                String name = file.getFileName().toString();
                if (!name.equals(CONFIG) && WEIGHT_FILES.stream().noneMatch(name::endsWith)) {
                    Files.copy(file, folder.resolve(name));
                }
            }
        }
    }

    /// The base's configuration, which no longer packs anything and names the type of the weights.
    private static void writeConfig(Path base, Path folder, DType storedAs) throws IOException {
        var config = (ObjectNode) JSON.readTree(base.resolve(CONFIG).toFile());
        unpack(config, storedAs);
        for (JsonNode part : config) {
            if (part instanceof ObjectNode nested) {
                unpack(nested, storedAs);
            }
        }
        Folders.writeForced(folder.resolve(CONFIG), JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(config));
    }

    private static void unpack(ObjectNode config, DType storedAs) {
        boolean packed = config.remove("quantization_config") != null;
        DType type = storedAs != null ? storedAs : packed ? DType.BFLOAT16 : null;
        TYPES.stream().filter(name -> type != null && config.has(name)).forEach(name ->
                config.put(name, type.name().toLowerCase(Locale.ROOT)));
    }
}
