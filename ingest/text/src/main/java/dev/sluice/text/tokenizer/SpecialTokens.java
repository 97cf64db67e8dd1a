package dev.sluice.text.tokenizer;

import java.util.Map;
import java.util.Optional;

/// The model's special tokens under the names that templates use (`bos_token`, `eos_token`, `pad_token`, ...).
///
/// @param byName text of each token that the model defines, in the order of its files
public record SpecialTokens(Map<String, String> byName) {

    /// Beginning of a text.
    public Optional<String> bos() {
        return Optional.ofNullable(byName.get("bos_token"));
    }

    /// End of a text or turn.
    public Optional<String> eos() {
        return Optional.ofNullable(byName.get("eos_token"));
    }

    /// Filler of a batch.
    public Optional<String> pad() {
        return Optional.ofNullable(byName.get("pad_token"));
    }
}
