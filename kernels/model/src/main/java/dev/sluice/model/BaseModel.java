package dev.sluice.model;

import dev.sluice.compute.Backend;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Scope;
import dev.sluice.model.checkpoint.WeightLoader;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.Families;
import dev.sluice.model.config.Family;
import dev.sluice.model.config.TensorNames;
import dev.sluice.model.decoder.DecoderWeights;
import dev.sluice.model.json.JsonFields;
import java.nio.file.Path;

/// A frozen base model in a backend's memory, read from a Hugging Face checkpoint folder. Training runs and
/// evaluations share it. It belongs to the backend's thread.
public final class BaseModel implements AutoCloseable {
    private final Path folder;
    private final Backend backend;
    private final Family family;
    private final DecoderConfig config;
    private final TensorNames names;
    private final Scope process;
    private final DecoderWeights weights;

    private BaseModel(Path folder, Backend backend, Family family, DecoderConfig config, Scope process, DecoderWeights weights) {
        this.folder = folder;
        this.backend = backend;
        this.family = family;
        this.config = config;
        this.names = family.names();
        this.process = process;
        this.weights = weights;
    }

    /// Reads `config.json` and the safetensors files of a folder and loads the weights in the backend's type.
    ///
    /// @throws InvalidFileException naming the file and the field or tensor that is missing or damaged
    /// @throws UnsupportedModelException if the family or something it asks for is not implemented
    /// @throws dev.sluice.compute.OutOfMemoryException with the numbers, before anything is loaded
    public static BaseModel load(Path folder, Backend backend) {
        return load(folder, backend, Quantization.NONE);
    }

    /// The same, packed further: matrix by matrix while they are read, so that they never all lie plain in memory.
    ///
    /// @throws UnsupportedModelException also if the backend does not multiply with the quantisation
    public static BaseModel load(Path folder, Backend backend, Quantization quantization) {
        return open(folder, backend, quantization, WeightLoader::load);
    }

    /// A model of the shape that a folder's `config.json` describes, with random weights: for measuring, where no weights are needed.
    ///
    /// @throws InvalidFileException naming the field of `config.json` that is missing or makes no sense
    /// @throws UnsupportedModelException if the family or something it asks for is not implemented
    /// @throws dev.sluice.compute.OutOfMemoryException with the numbers, before anything is made
    public static BaseModel random(Path folder, Backend backend) {
        return random(folder, backend, Quantization.NONE);
    }

    /// The same, in the form that weights of that quantisation have.
    ///
    /// @throws UnsupportedModelException also if the backend does not multiply with it
    public static BaseModel random(Path folder, Backend backend, Quantization quantization) {
        return open(folder, backend, quantization, WeightLoader::random);
    }

    private interface Weights {
        DecoderWeights of(Path folder, DecoderConfig config, TensorNames names, Backend backend, Quantization quantization, Scope process);
    }

    private static BaseModel open(Path folder, Backend backend, Quantization quantization, Weights source) {
        JsonFields fields = Families.config(folder);
        Family family = Families.of(fields);
        DecoderConfig config = family.read(fields);
        Scope process = backend.scope(Lifetime.PROCESS, folder.toString());
        try {
            DecoderWeights weights = source.of(folder, config, family.names(), backend, quantization, process);
            return new BaseModel(folder, backend, family, config, process, weights);
        } catch (RuntimeException e) {
            process.close();
            throw e;
        }
    }

    public Path folder() {
        return folder;
    }

    public Family family() {
        return family;
    }

    public DecoderConfig config() {
        return config;
    }

    public TensorNames names() {
        return names;
    }

    public Backend backend() {
        return backend;
    }

    public DecoderWeights weights() {
        return weights;
    }

    /// Bytes of the weights in the backend's memory.
    public long bytes() {
        return process.bytes();
    }

    /// Frees the weights. Runs and evaluations on this model must be closed before.
    @Override
    public void close() {
        process.close();
    }
}
