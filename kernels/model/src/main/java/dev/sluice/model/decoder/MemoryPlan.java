package dev.sluice.model.decoder;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.MemoryStatus;
import dev.sluice.compute.OutOfMemoryException;
import dev.sluice.model.Quantization;
import dev.sluice.model.checkpoint.WeightBytes;
import dev.sluice.model.checkpoint.WeightLoader;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.Families;
import dev.sluice.model.config.Family;
import dev.sluice.model.config.TensorNames;
import dev.sluice.model.json.JsonFields;
import dev.sluice.model.lora.AdapterLayout;
import dev.sluice.model.lora.LoraSettings;
import java.nio.file.Path;
import java.util.Locale;

/// What a training run will take, estimated from `config.json` and the headers of weight files, before anything is loaded.
///
/// @param weightBytes base weights, for the life of the process
/// @param adapterParameters trainable numbers
/// @param adapterBytes parameters, gradients and both moments, for the run
/// @param bytesPerToken activations of one token of a micro-batch
/// @param fixedStepBytes what a step takes however short it is: chunks of logits, scratch, and room to unpack weights
public record MemoryPlan(long weightBytes, long adapterParameters, long adapterBytes, long bytesPerToken, long fixedStepBytes) {
    private static final long SCRATCH = 64L << 20;
    private static final int OPTIMIZER_COPIES = 4;

    /// The plan from `config.json` alone, with all weights plain.
    ///
    /// @param type the backend's activation type
    /// @throws dev.sluice.model.InvalidFileException if `config.json` makes no sense
    public static MemoryPlan of(Path modelFolder, DType type, LoraSettings settings, boolean gradientCheckpointing) {
        JsonFields fields = Families.config(modelFolder);
        Family family = Families.of(fields);
        return of(family.read(fields), family.names(), type, settings, gradientCheckpointing);
    }

    /// The same for a checkpoint and a backend, whose weights may be kept packed: the files' headers are looked at too.
    ///
    /// @throws dev.sluice.model.InvalidFileException if `config.json` makes no sense or the files are damaged
    /// @throws dev.sluice.model.UnsupportedModelException if the backend does not multiply with the quantisation
    public static MemoryPlan of(Path modelFolder, Backend backend, Quantization quantization, LoraSettings settings,
            boolean gradientCheckpointing) {
        JsonFields fields = Families.config(modelFolder);
        Family family = Families.of(fields);
        DecoderConfig config = family.read(fields);
        MemoryPlan plain = of(config, family.names(), backend.activationType(), settings, gradientCheckpointing);
        WeightBytes weights = WeightLoader.bytes(modelFolder, config, family.names(), backend, quantization);
        return new MemoryPlan(weights.kept(), plain.adapterParameters, plain.adapterBytes, plain.bytesPerToken,
                plain.fixedStepBytes + weights.unpacked());
    }

    /// This plan for weights of another size.
    public MemoryPlan withWeights(long bytes) {
        return new MemoryPlan(bytes, adapterParameters, adapterBytes, bytesPerToken, fixedStepBytes);
    }

    static MemoryPlan of(DecoderConfig config, TensorNames names, DType type, LoraSettings settings, boolean checkpointing) {
        AdapterLayout layout = AdapterLayout.of(config, names, settings);
        long adapter = layout.size() * OPTIMIZER_COPIES * Float.BYTES;
        long computeCopy = type == DType.FLOAT32 ? 0 : type.bytes(layout.size());
        return new MemoryPlan(WeightLoader.bytes(config, names, type), layout.parameters(), adapter + computeCopy,
                ActivationBytes.perToken(config, layout, type, checkpointing), SCRATCH);
    }

    /// Bytes of everything with micro-batches of that many tokens.
    public long totalBytes(int tokens) {
        return Math.addExact(Math.addExact(weightBytes, adapterBytes),
                Math.addExact(fixedStepBytes, Math.multiplyExact(bytesPerToken, (long) tokens)));
    }

    /// @throws OutOfMemoryException with the numbers if micro-batches of that many tokens cannot fit
    public void requireFits(MemoryStatus memory, int tokens) {
        if (totalBytes(tokens) > memory.freeBytes()) {
            throw new OutOfMemoryException("training with " + describe(tokens), totalBytes(tokens), memory.freeBytes());
        }
    }

    /// The plan in one line, for logs and refusals.
    public String describe(int tokens) {
        return String.format(Locale.ROOT,
                "base weights %s, adapter of %,d parameters with gradients and optimiser %s, %d tokens of activations %s + %s",
                mebibytes(weightBytes), adapterParameters, mebibytes(adapterBytes), tokens,
                mebibytes(bytesPerToken * tokens), mebibytes(fixedStepBytes));
    }

    private static String mebibytes(long bytes) {
        return String.format(Locale.ROOT, "%,.1f MiB", bytes / (double) (1 << 20));
    }
}
