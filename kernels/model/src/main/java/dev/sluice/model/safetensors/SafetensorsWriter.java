package dev.sluice.model.safetensors;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/// Writes safetensors files: wider types first, then by name, as the reference implementation orders them. The file
/// is written beside its place, forced to disk and renamed, so it is there whole or not at all.
public final class SafetensorsWriter {
    private static final long LARGEST_WRITE = 1 << 30;
    private static final JsonFactory JSON = new JsonFactory();

    private SafetensorsWriter() {}

    /// A tensor to write.
    ///
    /// @param data its numbers, little-endian, exactly the shape's size; native memory or a byte array
    public record Content(String name, ElementType type, long[] shape, MemorySegment data) {
        public Content {
            long bytes = type.bytes();
            for (long dimension : shape) {
                bytes = Math.multiplyExact(bytes, dimension);
            }
            if (bytes != data.byteSize()) {
                throw new IllegalArgumentException("safetensors: tensor " + name + " needs " + bytes + " bytes, has "
                        + data.byteSize());
            }
        }
    }

    public static void write(Path path, Map<String, String> metadata, List<Content> tensors) throws IOException {
        var ordered = tensors.stream().sorted(Comparator.comparingInt((Content tensor) -> -tensor.type().bytes())
                .thenComparing(Content::name)).toList();
        Path temporary = path.resolveSibling(path.getFileName() + ".tmp");
        try (var channel = FileChannel.open(temporary, StandardOpenOption.CREATE, StandardOpenOption.WRITE,
                StandardOpenOption.TRUNCATE_EXISTING)) {
            writeAll(channel, header(metadata, ordered));
            for (var tensor : ordered) {
                for (long at = 0; at < tensor.data().byteSize(); at += LARGEST_WRITE) {
                    long bytes = Math.min(LARGEST_WRITE, tensor.data().byteSize() - at);
                    writeAll(channel, tensor.data().asSlice(at, bytes).asByteBuffer());
                }
            }
            channel.force(true);
        }
        Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE);
    }

    private static ByteBuffer header(Map<String, String> metadata, List<Content> tensors) throws IOException {
        var bytes = new ByteArrayOutputStream();
        bytes.write(new byte[Long.BYTES]);
        try (var json = JSON.createGenerator(bytes)) {
            json.writeStartObject();
            json.writeObjectFieldStart("__metadata__");
            for (var entry : metadata.entrySet()) {
                json.writeStringField(entry.getKey(), entry.getValue());
            }
            json.writeEndObject();
            long at = 0;
            for (var tensor : tensors) {
                writeEntry(json, tensor, at);
                at += tensor.data().byteSize();
            }
            json.writeEndObject();
        }
        while (bytes.size() % Long.BYTES != 0) {
            bytes.write(' ');
        }
        return ByteBuffer.wrap(bytes.toByteArray()).order(ByteOrder.LITTLE_ENDIAN).putLong(0, bytes.size() - Long.BYTES);
    }

    private static void writeEntry(JsonGenerator json, Content tensor, long begin) throws IOException {
        json.writeObjectFieldStart(tensor.name());
        json.writeStringField("dtype", tensor.type().name());
        json.writeFieldName("shape");
        json.writeArray(tensor.shape(), 0, tensor.shape().length);
        json.writeFieldName("data_offsets");
        json.writeArray(new long[] {begin, begin + tensor.data().byteSize()}, 0, 2);
        json.writeEndObject();
    }

    private static void writeAll(FileChannel channel, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }
}
