package dev.sluice.model.safetensors;

import com.fasterxml.jackson.databind.util.ByteBufferBackedInputStream;
import dev.sluice.model.InvalidFileException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/// A safetensors file, mapped as a whole: tensors are windows onto the map, nothing is copied.
///
/// Refused before anything is allocated for it: a header longer than the file or than 100 MB, duplicate names, unknown
/// dtypes, shapes that overflow or do not fill their bytes, and data that overlaps, leaves holes or misses its end.
/// Source: the format's specification, github.com/huggingface/safetensors.
public final class SafetensorsFile {
    private static final long LONGEST_HEADER = 100_000_000;
    private static final ValueLayout.OfLong LENGTH = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Path path;
    private final Map<String, String> metadata;
    private final SequencedMap<String, TensorEntry> tensors;
    private final MemorySegment data;

    private SafetensorsFile(Path path, Map<String, String> metadata, SequencedMap<String, TensorEntry> tensors,
            MemorySegment data) {
        this.path = path;
        this.metadata = metadata;
        this.tensors = tensors;
        this.data = data;
    }

    /// Maps a file for as long as the arena lives and checks its header.
    ///
    /// @throws InvalidFileException naming the file and the tensor
    public static SafetensorsFile open(Path path, Arena arena) {
        MemorySegment map = map(path, arena);
        if (map.byteSize() < Long.BYTES) {
            throw new InvalidFileException(path, "truncated: " + map.byteSize() + " bytes cannot hold the header's length");
        }
        long length = map.get(LENGTH, 0);
        long rest = map.byteSize() - Long.BYTES;
        if (length < 2 || length > Math.min(rest, LONGEST_HEADER)) {
            throw new InvalidFileException(path, "the header claims " + Long.toUnsignedString(length) + " bytes; the file has "
                    + rest + " behind the length, and a header at most " + LONGEST_HEADER);
        }
        var header = HeaderParser.parse(path,
                new ByteBufferBackedInputStream(map.asSlice(Long.BYTES, length).asByteBuffer()));
        MemorySegment data = map.asSlice(Long.BYTES + length);
        requireSeamless(path, header.tensors(), data.byteSize());
        var tensors = new LinkedHashMap<String, TensorEntry>();
        header.tensors().forEach(tensor -> tensors.put(tensor.name(), tensor));
        return new SafetensorsFile(path, header.metadata(), tensors, data);
    }

    public Path path() {
        return path;
    }

    public Map<String, String> metadata() {
        return metadata;
    }

    /// All tensors by name, in the header's order.
    public SequencedMap<String, TensorEntry> tensors() {
        return tensors;
    }

    /// A tensor's bytes: a window onto the map, little-endian and not necessarily aligned.
    public MemorySegment data(TensorEntry tensor) {
        return data.asSlice(tensor.begin(), tensor.bytes());
    }

    private static MemorySegment map(Path path, Arena arena) {
        if (!Files.isRegularFile(path)) {
            throw new InvalidFileException(path, "the file does not exist");
        }
        try (var channel = FileChannel.open(path)) {
            return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
        } catch (IOException e) {
            throw new InvalidFileException(path, "cannot be mapped: " + e.getMessage(), e);
        }
    }

    private static void requireSeamless(Path path, List<TensorEntry> tensors, long bytes) {
        long expected = 0;
        for (var tensor : tensors.stream()
                .sorted(Comparator.comparingLong(TensorEntry::begin).thenComparingLong(TensorEntry::end)).toList()) {
            if (tensor.begin() != expected) {
                throw new InvalidFileException(path, "tensor " + tensor.name() + " begins at byte " + tensor.begin()
                        + ", the one before it ends at " + expected + ": data must not overlap or leave holes");
            }
            expected = tensor.end();
        }
        if (expected != bytes) {
            throw new InvalidFileException(path, "the tensors fill " + expected + " bytes, the file holds " + bytes
                    + (expected > bytes ? ": it is truncated" : ": bytes follow the last tensor"));
        }
    }
}
