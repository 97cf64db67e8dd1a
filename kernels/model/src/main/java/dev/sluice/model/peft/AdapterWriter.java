package dev.sluice.model.peft;

import dev.sluice.model.lora.Adapter;
import java.nio.file.Path;

/// Writes PEFT adapter folders.
public final class AdapterWriter {
    private AdapterWriter() {}

    public static void write(Adapter adapter, Path folder, AdapterExport export) {
        throw new UnsupportedOperationException("comes next");
    }
}
