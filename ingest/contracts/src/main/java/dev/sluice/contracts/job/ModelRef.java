package dev.sluice.contracts.job;

import dev.sluice.contracts.wire.FieldChecks;
import java.net.URI;

/// A base model: a checkpoint folder in Hugging Face format.
///
/// @param uri address of the folder, for example `file:/models/qwen3-30b-a3b`
/// @param sha256 optional hash of the model ([dev.sluice.contracts.store.ModelHash]); a mismatch stops the job
public record ModelRef(URI uri, String sha256) {
    public ModelRef {
        new FieldChecks()
                .require(uri != null && uri.getScheme() != null, "uri", "an address with a scheme, such as file:/models/name", uri)
                .require(sha256 == null || sha256.matches("[0-9a-f]{64}"), "sha256", "64 lower-case hexadecimal digits", sha256)
                .verify();
    }
}
