package dev.sluice.model.checkpoint;

import dev.sluice.compute.Backend;
import dev.sluice.compute.MemoryStatus;
import dev.sluice.compute.OutOfMemoryException;
import dev.sluice.compute.Scope;
import dev.sluice.model.InvalidFileException;
import dev.sluice.model.Quantization;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.Families;
import dev.sluice.model.config.TensorNames;
import dev.sluice.model.decoder.DecoderWeights;
import dev.sluice.model.json.JsonFields;
import dev.sluice.model.safetensors.Checkpoint;
import java.lang.foreign.Arena;
import java.nio.file.Path;

/// Loads a decoder's weights: checks every header entry, then the memory, and only then copies.
public final class WeightLoader {
    private static final System.Logger LOG = System.getLogger(WeightLoader.class.getName());

    private WeightLoader() {}

    /// What a backend will hold of a checkpoint's weights.
    ///
    /// @throws InvalidFileException if the files are missing or their headers damaged
    /// @throws dev.sluice.model.UnsupportedModelException if the backend does not multiply with the quantisation
    public static CountedWeights count(Path folder, DecoderConfig config, TensorNames names, Backend backend, Quantization quantization) {
        try (var checkpoint = Checkpoint.open(folder)) {
            return StoredCountingSource.count(checkpoint, config, names, Keeping.of(backend, quantization));
        }
    }

    /// The same from the configuration alone.
    ///
    /// @param fields of `config.json`, which say how stacks of experts are packed
    public static CountedWeights count(JsonFields fields, DecoderConfig config, TensorNames names, Backend backend, Quantization quantization) {
        return CountingSource.count(config, names, Keeping.ofShape(fields, backend, quantization));
    }

    /// @param process scope that owns the weights
    public static DecoderWeights load(Path folder, DecoderConfig config, TensorNames names, Backend backend, Quantization quantization,
            Scope process) {
        Keeping keeping = Keeping.of(backend, quantization);
        try (var checkpoint = Checkpoint.open(folder); var staging = Arena.ofShared()) {
            var checking = new CheckingSource(checkpoint);
            WeightTree.build(config, names, checking);
            checking.requireNoFaults();
            if (!checking.unread().isEmpty()) {
                LOG.log(System.Logger.Level.INFO, "{0}: not read: {1}", folder, checking.unread());
            }
            requireMemory(folder, StoredCountingSource.count(checkpoint, config, names, keeping).bytes(), backend.memory());
            var weights = WeightTree.build(config, names, new LoadingSource(checkpoint, backend, keeping, process, staging));
            backend.synchronize();
            return weights;
        }
    }

    /// Weights of the right shapes and random values, for measuring without a checkpoint.
    ///
    /// @param model folder of its `config.json`
    /// @param process scope that owns the weights
    public static DecoderWeights random(Path model, DecoderConfig config, TensorNames names, Backend backend, Quantization quantization,
            Scope process) {
        Keeping keeping = Keeping.ofShape(Families.config(model), backend, quantization);
        requireMemory(model, CountingSource.count(config, names, keeping).bytes(), backend.memory());
        try (var arena = Arena.ofConfined()) {
            var weights = WeightTree.build(config, names, new RandomSource(backend, keeping, process, arena));
            backend.synchronize();
            return weights;
        }
    }

    private static void requireMemory(Path folder, long bytes, MemoryStatus memory) {
        if (bytes > memory.freeBytes()) {
            throw new OutOfMemoryException("the weights of " + folder, bytes, memory.freeBytes());
        }
    }
}
