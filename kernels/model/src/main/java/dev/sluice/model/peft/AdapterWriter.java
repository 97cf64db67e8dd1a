package dev.sluice.model.peft;

import dev.sluice.compute.DType;
import dev.sluice.model.checkpoint.Floats;
import dev.sluice.model.files.Folders;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Writes PEFT adapter folders. Both files are written aside, read back with [AdapterReader] and compared bit for bit;
/// only then are they moved into place.
public final class AdapterWriter {
    private AdapterWriter() {}

    /// @throws UncheckedIOException if the folder cannot be written
    /// @throws IllegalStateException if what was read back is not what was written; the folder is then unchanged
    public static void write(Adapter adapter, Path folder, AdapterExport export) {
        Path aside = folder.resolve(".adapter.tmp");
        try {
            Files.createDirectories(folder);
            Folders.replace(aside, temporary -> fill(adapter, temporary, export));
            for (String name : List.of(AdapterReader.TENSORS, AdapterReader.CONFIG)) {
                Files.move(aside.resolve(name), folder.resolve(name), StandardCopyOption.ATOMIC_MOVE);
            }
            Files.delete(aside);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write the adapter to " + folder + ": " + e.getMessage(), e);
        }
    }

    private static void fill(Adapter adapter, Path folder, AdapterExport export) throws IOException {
        List<FileTensor> tensors = switch (export.format()) {
            case PEFT_3D -> Peft3dNames.tensors(adapter.layout());
            case PER_EXPERT -> new PerExpertNames(adapter.names()).tensors(adapter.layout(), Set.of());
        };
        try (var arena = Arena.ofConfined()) {
            var contents = new ArrayList<SafetensorsWriter.Content>();
            for (FileTensor tensor : tensors) {
                contents.add(new SafetensorsWriter.Content(tensor.name(), Floats.stored(export.storedAs()), tensor.shape(),
                        numbers(adapter, tensor, export.storedAs(), arena)));
            }
            SafetensorsWriter.write(folder.resolve(AdapterReader.TENSORS), Map.of("format", "pt"), contents);
        }
        Folders.writeForced(folder.resolve(AdapterReader.CONFIG), AdapterConfigWriter.write(adapter, export));
        requireSame(adapter, AdapterReader.read(adapter.config(), adapter.names(), folder), tensors, export.storedAs());
    }

    private static MemorySegment numbers(Adapter adapter, FileTensor tensor, DType type, Arena arena) {
        MemorySegment numbers = arena.allocate(type.bytes((long) tensor.rows() * tensor.columns()), Long.BYTES);
        for (int r = 0; r < tensor.rows(); r++) {
            Floats.encode(type, row(adapter, tensor, r), numbers, (long) r * tensor.columns());
        }
        return numbers;
    }

    private static float[] row(Adapter adapter, FileTensor tensor, int r) {
        float[] row = new float[tensor.columns()];
        for (int c = 0; c < row.length; c++) {
            row[c] = adapter.values().getAtIndex(ValueLayout.JAVA_FLOAT, tensor.index(r, c));
        }
        return row;
    }

    private static void requireSame(Adapter written, Adapter read, List<FileTensor> tensors, DType type) {
        if (!read.layout().equals(written.layout())) {
            throw new IllegalStateException("the adapter was read back with other matrices, ranks or scales than written: "
                    + read.layout().sites() + " instead of " + written.layout().sites());
        }
        for (FileTensor tensor : tensors) {
            try (var arena = Arena.ofConfined()) {
                if (numbers(read, tensor, type, arena).mismatch(numbers(written, tensor, type, arena)) >= 0) {
                    throw new IllegalStateException("tensor " + tensor.name() + " was read back with other numbers than written");
                }
            }
        }
    }
}
