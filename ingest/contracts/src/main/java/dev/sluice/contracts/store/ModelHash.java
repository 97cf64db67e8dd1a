package dev.sluice.contracts.store;

import dev.sluice.contracts.job.ModelRef;
import dev.sluice.contracts.wire.Json;
import dev.sluice.contracts.wire.Sha256;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;

/// The hash by which jobs and adapters name a base model: SHA-256 over the configuration, the index of the weights where
/// there is one, and the names, sizes, safetensors headers and some evenly spaced blocks of the weight files.
///
/// It reads kilobytes of a file, not all weights: it tells models apart, those of equal shapes too (a base model and what was tuned from it),
/// and does not replace a check of every weight.
public final class ModelHash {

    private static final int MAX_HEADER_BYTES = 100 << 20;
    private static final int BLOCKS = 16;
    private static final int BLOCK_BYTES = 4096;

    private ModelHash() {}

    /// @throws IOException when the folder has no `config.json` or no `*.safetensors`, or cannot be read
    public static String of(Path folder) throws IOException {
        SortedMap<String, String> content = new TreeMap<>();
        for (String name : new String[] {"config.json", "model.safetensors.index.json"}) {
            Path file = folder.resolve(name);
            if (Files.exists(file)) {
                content.put(name, Sha256.of(Files.readAllBytes(file)));
            }
        }
        if (!content.containsKey("config.json")) {
            throw new IOException("model folder " + folder + " has no config.json; give the folder of a Hugging Face checkpoint");
        }
        int before = content.size();
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.filter(file -> file.getFileName().toString().endsWith(".safetensors")).toList()) {
                content.put(file.getFileName().toString(), Files.size(file) + ":" + header(file) + ":" + blocks(file));
            }
        }
        if (content.size() == before) {
            throw new IOException("model folder " + folder + " has no *.safetensors file");
        }
        return Sha256.of(Json.canonical(content));
    }

    /// The hash of the model in `folder`, which must be the one `expected` names where it names one.
    ///
    /// @throws ArtifactException MISSING when the folder holds no model, DAMAGED when it is another one
    public static String verify(Path folder, ModelRef expected) throws ArtifactException {
        String found;
        try {
            found = of(folder);
        } catch (IOException e) {
            throw new ArtifactException(ArtifactException.Problem.MISSING, e.getMessage());
        }
        if (expected.sha256() != null && !expected.sha256().equals(found)) {
            throw new ArtifactException(ArtifactException.Problem.DAMAGED, "model " + expected.uri() + " has hash " + found + ", wanted was "
                    + expected.sha256() + "; put the right model there");
        }
        return found;
    }

    private static String header(Path file) throws IOException {
        try (var in = Files.newInputStream(file)) {
            byte[] length = in.readNBytes(Long.BYTES);
            long bytes = length.length < Long.BYTES ? -1 : ByteBuffer.wrap(length).order(ByteOrder.LITTLE_ENDIAN).getLong();
            if (bytes < 0 || bytes > MAX_HEADER_BYTES || bytes > Files.size(file) - Long.BYTES) {
                throw new IOException("weights " + file + " are damaged: the header claims " + bytes + " bytes");
            }
            return Sha256.of(in.readNBytes((int) bytes));
        }
    }

    /// The first block of a file, the last one, and those between.
    private static String blocks(Path file) throws IOException {
        var blocks = ByteBuffer.allocate(BLOCKS * BLOCK_BYTES);
        try (var in = FileChannel.open(file)) {
            long last = Math.max(0, in.size() - BLOCK_BYTES);
            for (int i = 0; i < BLOCKS; i++) {
                long at = last * i / (BLOCKS - 1);
                int read = 0;
                for (blocks.limit(blocks.position() + BLOCK_BYTES); read >= 0 && blocks.hasRemaining(); at += read) {
                    read = in.read(blocks, at);
                }
            }
        }
        return Sha256.of(Arrays.copyOf(blocks.array(), blocks.position()));
    }
}
