package dev.sluice.model.config;

import dev.sluice.model.json.JsonFields;

/// A family of models: how its `config.json` describes a decoder, and what its tensors are called.
///
/// Adding one means a class beside this one, its name in [Families], and a golden case, whose folder's README says how it is
/// made; every test over golden cases then covers it. The decoder stays as it is: what it can do is what [DecoderConfig]
/// can say, and names that differ from the Llama lineage's are in [TensorNames].
public interface Family {
    /// `model_type` in `config.json`.
    String modelType();

    /// @throws dev.sluice.model.InvalidFileException naming the field that is missing or makes no sense
    /// @throws dev.sluice.model.UnsupportedModelException naming what is not implemented
    DecoderConfig read(JsonFields config);

    /// Whether peft 0.21 over transformers 5 stacks an adapter's matrices of single experts, as the modules of
    /// transformers hold stacks. It does for families that transformers 4 kept as single experts and that its
    /// `transformers_weight_conversion` knows as `qwen2_moe` or `mixtral`; for others it passes over them without a word.
    default boolean peftStacksExperts() {
        return false;
    }

    /// The Llama lineage's, unless a family has others.
    default TensorNames names() {
        return TensorNames.LLAMA;
    }
}
