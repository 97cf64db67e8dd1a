package dev.sluice.model;

import dev.sluice.compute.Backend;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.TensorNames;
import java.nio.file.Path;

/// A frozen base model in a backend's memory, read from a Hugging Face checkpoint folder. Training runs and
/// evaluations share it. It belongs to the backend's thread.
public final class BaseModel implements AutoCloseable {
    /// Reads `config.json` and the safetensors files of a folder and loads the weights in the backend's type.
    ///
    /// @throws InvalidFileException naming the file and the field or tensor that is missing or damaged
    /// @throws UnsupportedModelException if the family or something it asks for is not implemented
    /// @throws dev.sluice.compute.OutOfMemoryException with the numbers, before anything is loaded
    public static BaseModel load(Path folder, Backend backend) {
        throw new UnsupportedOperationException("loading comes with the decoder");
    }

    public Path folder() {
        throw new UnsupportedOperationException();
    }

    public DecoderConfig config() {
        throw new UnsupportedOperationException();
    }

    public TensorNames names() {
        throw new UnsupportedOperationException();
    }

    public Backend backend() {
        throw new UnsupportedOperationException();
    }

    /// Frees the weights. Runs and evaluations on this model must be closed before.
    @Override
    public void close() {
        throw new UnsupportedOperationException();
    }
}
