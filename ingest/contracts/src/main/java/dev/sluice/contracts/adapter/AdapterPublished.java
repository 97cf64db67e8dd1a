package dev.sluice.contracts.adapter;

import com.fasterxml.jackson.databind.JsonNode;
import dev.sluice.contracts.job.AdapterFormat;
import dev.sluice.contracts.job.Evaluation;
import dev.sluice.contracts.job.Lora;
import dev.sluice.contracts.job.ModelRef;
import dev.sluice.contracts.store.Manifest;
import dev.sluice.contracts.wire.Check;
import java.time.Instant;

/// A trained adapter, committed together with the job's SUCCEEDED: `adapters.v1`, keyed by the adapter id.
///
/// @param adapterId [Manifest#id] of `files`
/// @param files `adapter_config.json`, `adapter_model.safetensors`, and what belongs to them
/// @param token fencing token of the attempt that finished
/// @param baseModel the model it adapts, with its hash
/// @param datasetId training data
/// @param datasetVersion its version
/// @param preparedId rows it was trained on; the held-out split of the same id scores it
/// @param backendDecision candidates, reasons and times of the backend choice, as the engine wrote it
/// @param evaluation how it is to be judged
public record AdapterPublished(String adapterId, Manifest files, String jobId, int attempt, long token, ModelRef baseModel, String datasetId,
        long datasetVersion, String preparedId, Lora lora, AdapterFormat format, TrainingSummary training, JsonNode backendDecision,
        Evaluation evaluation, Instant publishedAt) {
    public AdapterPublished {
        Check.present(files, "files");
        if (!files.id().equals(adapterId)) {
            throw new IllegalArgumentException("adapter_id must be the hash of its manifest " + files.id() + ", was " + adapterId);
        }
        Check.text(jobId, "job_id");
        Check.present(baseModel, "base_model");
        Check.id(datasetId, "dataset_id");
        Check.atLeast(datasetVersion, 1, "dataset_version");
        Check.text(preparedId, "prepared_id");
        Check.present(lora, "lora");
        Check.present(format, "format");
        Check.present(training, "training");
        Check.present(publishedAt, "published_at");
        evaluation = evaluation == null ? Evaluation.defaults() : evaluation;
    }
}
