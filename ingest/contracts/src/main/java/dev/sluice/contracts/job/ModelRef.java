package dev.sluice.contracts.job;

import dev.sluice.contracts.wire.FieldChecks;
import java.net.URI;

/// A base model: a checkpoint folder in Hugging Face format.
///
/// @param uri address of the folder, for example `file:/models/qwen3-30b-a3b`
/// @param sha256 optional hash of the model ([dev.sluice.contracts.store.ModelHash]); a mismatch stops the job
/// @param quantize what its weights are packed into while they are loaded, by the trainer and the evaluator alike; null for nothing
public record ModelRef(URI uri, String sha256, Quantize quantize) {
    public ModelRef {
        quantize = quantize == Quantize.NONE ? null : quantize;
        new FieldChecks()
                .require(uri != null && uri.getScheme() != null, "uri", "an address with a scheme, such as file:/models/name", uri)
                .require(sha256 == null || sha256.matches("[0-9a-f]{64}"), "sha256", "64 lower-case hexadecimal digits", sha256)
                .verify();
    }

    /// A model as its checkpoint has it.
    public ModelRef(URI uri, String sha256) {
        this(uri, sha256, null);
    }

    /// The same with its hash.
    public ModelRef pinned(String hash) {
        return new ModelRef(uri, hash, quantize);
    }
}
