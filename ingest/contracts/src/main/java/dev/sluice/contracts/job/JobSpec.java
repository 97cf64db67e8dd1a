package dev.sluice.contracts.job;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sluice.contracts.wire.FieldChecks;
import dev.sluice.contracts.wire.Json;
import dev.sluice.contracts.wire.Sha256;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// A request to train an adapter: what `jobs.v1` and `POST /jobs` carry. Absent fields take the stated defaults.
///
/// @param jobId id of the job, also the message's key
/// @param model base model
/// @param dataset training data
/// @param heldout where held-out rows come from, default a tenth of the training data
/// @param lora adapter settings
/// @param training optimiser, schedule, rows
/// @param backend `auto`, `hopper`, `portable` or `cpu`; a backend that is named but unavailable fails the job
/// @param adapterFormat layout of the published adapter; null for the one that peft loads, which depends on the model
/// @param checkpoint how often to save
/// @param limits attempts and time
/// @param evaluation how to judge the adapter
/// @param exportRows publish `rows.jsonl`, every training row as it was trained, beside the adapter; default false
/// @param requestedBy who asks, free text
/// @param trigger why
/// @param nonce makes a job of its own of a spec that was submitted before, see [#idempotencyKey]
public record JobSpec(String jobId, ModelRef model, DatasetRef dataset, Heldout heldout, Lora lora, Training training, String backend,
        AdapterFormat adapterFormat, Checkpointing checkpoint, Limits limits, Evaluation evaluation, Boolean exportRows,
        String requestedBy, Trigger trigger, String nonce) {

    private static final Set<String> BACKENDS = Set.of("auto", "hopper", "portable", "cpu");
    /// Fields that do not change what is trained.
    private static final List<String> NOT_IDENTITY = List.of("job_id", "requested_by", "trigger");

    public JobSpec {
        heldout = heldout == null ? new Heldout(null, null) : heldout;
        lora = lora == null ? Lora.defaults() : lora;
        training = training == null ? Training.defaults() : training;
        backend = backend == null ? "auto" : backend;
        checkpoint = checkpoint == null ? Checkpointing.defaults() : checkpoint;
        limits = limits == null ? Limits.defaults() : limits;
        evaluation = evaluation == null ? Evaluation.defaults() : evaluation;
        exportRows = exportRows != null && exportRows;
        trigger = trigger == null ? Trigger.MANUAL : trigger;
        new FieldChecks().id(jobId, "job_id").present(model, "model").present(dataset, "dataset")
                .require(BACKENDS.contains(backend), "backend", "one of auto, hopper, portable, cpu", backend)
                .verify();
    }

    /// The same job over exactly these versions.
    ///
    /// @param heldoutVersion version of the held-out dataset, or null when there is none
    public JobSpec pinned(long datasetVersion, Long heldoutVersion) {
        Heldout pinnedHeldout = heldout.dataset() == null ? heldout
                : new Heldout(new DatasetRef(heldout.dataset().id(), heldoutVersion), heldout.fraction());
        return new JobSpec(jobId, model, new DatasetRef(dataset.id(), datasetVersion), pinnedHeldout, lora, training, backend, adapterFormat,
                checkpoint, limits, evaluation, exportRows, requestedBy, trigger, nonce);
    }

    /// The same job with another reference to its model, for example with the hash filled in.
    public JobSpec withModel(ModelRef other) {
        return new JobSpec(jobId, other, dataset, heldout, lora, training, backend, adapterFormat, checkpoint, limits, evaluation, exportRows,
                requestedBy, trigger, nonce);
    }

    /// SHA-256 of the canonical JSON of everything that decides the result. A spec submitted twice has one key and
    /// runs once; call it on a [#pinned] spec, so that new data makes a new job.
    public String idempotencyKey() {
        ObjectNode json = Json.mapper().valueToTree(this);
        json.remove(NOT_IDENTITY);
        return Sha256.of(Json.canonical(Map.of("sluice.job.v1", json)));
    }
}
