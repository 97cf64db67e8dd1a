package dev.sluice.model.config;

import dev.sluice.model.json.JsonFields;

/// A family of models: how its `config.json` describes a decoder, and what its tensors are called.
/// Adding one means one class and its golden case; the decoder itself stays as it is.
public interface Family {
    /// `model_type` in `config.json`.
    String modelType();

    /// @throws dev.sluice.model.InvalidFileException naming the field that is missing or makes no sense
    /// @throws dev.sluice.model.UnsupportedModelException naming what is not implemented
    DecoderConfig read(JsonFields config);

    TensorNames names();
}
