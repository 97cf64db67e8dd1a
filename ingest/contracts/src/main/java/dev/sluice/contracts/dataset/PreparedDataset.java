package dev.sluice.contracts.dataset;

import dev.sluice.contracts.wire.Check;
import dev.sluice.contracts.wire.Json;
import dev.sluice.contracts.wire.Sha256;
import java.time.Instant;
import java.util.List;
import java.util.Objects;

/// A dataset version as token rows in `sequences.v1`. Key: the prepared id.
///
/// @param preparedId [#idOf] of everything that decides the bytes
/// @param heldoutDatasetId separate held-out dataset, or null
/// @param heldoutVersion its version, or null
/// @param tokenizerSha256 hash of the model's tokenizer files
/// @param templateSha256 hash of the chat template text
/// @param train rows to train on
/// @param heldout rows to score with; its `rows` may be 0
public record PreparedDataset(String preparedId, String datasetId, long datasetVersion, String datasetSha256, String heldoutDatasetId,
        Long heldoutVersion, String heldoutSha256, String tokenizerSha256, String templateSha256, PrepareSettings settings,
        PreparedSplit train, PreparedSplit heldout, Instant createdAt) implements DatasetEvent {
    public PreparedDataset {
        Check.id(datasetId, "dataset_id");
        Check.atLeast(datasetVersion, 1, "dataset_version");
        Sha256.require(datasetSha256, "dataset_sha256");
        if (heldoutDatasetId != null) {
            Check.id(heldoutDatasetId, "heldout_dataset_id");
            Check.atLeast(Check.present(heldoutVersion, "heldout_version"), 1, "heldout_version");
            Sha256.require(heldoutSha256, "heldout_sha256");
        }
        Sha256.require(tokenizerSha256, "tokenizer_sha256");
        Sha256.require(templateSha256, "template_sha256");
        Check.present(settings, "settings");
        Check.present(train, "train");
        Check.present(heldout, "heldout");
        Check.present(createdAt, "created_at");
        String expected = idOf(datasetId, datasetVersion, datasetSha256, heldoutDatasetId, heldoutVersion, heldoutSha256, tokenizerSha256,
                templateSha256, settings);
        if (!expected.equals(preparedId)) {
            throw new IllegalArgumentException("prepared_id must be the hash of its inputs " + expected + ", was " + preparedId);
        }
    }

    /// SHA-256 over what decides the bytes: dataset version, held-out version, tokenizer, template, settings.
    public static String idOf(String datasetId, long datasetVersion, String datasetSha256, String heldoutDatasetId, Long heldoutVersion,
            String heldoutSha256, String tokenizerSha256, String templateSha256, PrepareSettings settings) {
        return Sha256.of(Json.canonical(List.of("sluice.prepared.v1", datasetId, datasetVersion, datasetSha256,
                Objects.requireNonNullElse(heldoutDatasetId, ""), Objects.requireNonNullElse(heldoutVersion, 0L),
                Objects.requireNonNullElse(heldoutSha256, ""), tokenizerSha256, templateSha256, settings)));
    }

    @Override
    public String key() {
        return preparedId;
    }

    public PreparedSplit split(Split split) {
        return switch (split) {
            case TRAIN -> train;
            case HELDOUT -> heldout;
        };
    }
}
