package dev.sluice.model.peft;

import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.TensorNames;
import dev.sluice.model.lora.Adapter;
import java.nio.file.Path;

/// Reads PEFT adapter folders.
public final class AdapterReader {
    private AdapterReader() {}

    public static Adapter read(DecoderConfig config, TensorNames names, Path folder) {
        throw new UnsupportedOperationException("comes next");
    }
}
