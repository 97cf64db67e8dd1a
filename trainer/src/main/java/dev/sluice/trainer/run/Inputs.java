package dev.sluice.trainer.run;

import dev.sluice.compute.Backends;
import dev.sluice.compute.OutOfMemoryException;
import dev.sluice.contracts.dataset.PreparedDataset;
import dev.sluice.contracts.job.JobCode;
import dev.sluice.contracts.job.JobSpec;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.job.ModelRef;
import dev.sluice.model.BaseModel;
import dev.sluice.model.InvalidFileException;
import dev.sluice.model.Quantization;
import dev.sluice.model.decoder.ActivationChoice;
import dev.sluice.model.decoder.OptimizerChoice;
import dev.sluice.model.decoder.Workloads;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.peft.AdapterReader;
import dev.sluice.trainer.fate.JobException;
import dev.sluice.trainer.rows.TrainingRows;
import java.nio.file.Path;

/// Everything an attempt starts from.
///
/// @param start the adapter before the first step
/// @param modelRef the base model with its hash
/// @param memory what layers keep for the backward pass, and the optimiser of every parameter
record Inputs(Backends.Choice backend, BaseModel model, ModelRef modelRef, Adapter start, PreparedDataset prepared, TrainingRows rows,
        ActivationChoice memory) {

    /// Loads them, cheap checks first: rows before the model.
    ///
    /// @param optimizer which state of the optimiser was asked for, or the run began with
    static Inputs load(Workshop shop, JobState job, OptimizerChoice optimizer) throws InterruptedException {
        JobSpec spec = job.spec();
        Path folder = shop.roots().resolve(spec.model().uri(), JobCode.MODEL_UNSUPPORTED);
        String hash = shop.roots().hash(folder, spec.model());
        PreparedDataset prepared = shop.prepared().describe(job.preparedId());
        TrainingRows rows = TrainingRows.of(shop.prepared().trainingRows(prepared), spec.training());
        try {
            Backends.Choice backend = shop.device().backend(spec.backend().equals(Backends.AUTO) ? shop.defaultBackend() : spec.backend(),
                    Workloads.of(folder, Settings.lora(spec.lora()), rows.largestMicroBatch()));
            Settings.checkPrecision(spec.training().precision(), backend.backend().activationType(), backend.decision().chosen());
            Quantization quantization = Settings.quantization(spec.model().quantize());
            var memory = MemoryChoice.of(folder, quantization, Settings.lora(spec.lora()), backend.backend(), rows.largestMicroBatch(),
                    shop.device().holds(folder, hash, quantization), shop.memory(), optimizer);
            BaseModel model = shop.device().model(folder, hash, quantization);
            return new Inputs(backend, model, spec.model().pinned(hash), adapter(shop, model, spec), prepared, rows, memory);
        } catch (OutOfMemoryException e) {
            throw JobException.reject(JobCode.VRAM_ESTIMATE, e);
        }
    }

    private static Adapter adapter(Workshop shop, BaseModel model, JobSpec spec) {
        if (spec.lora().initAdapter() == null) {
            return Adapter.create(model, Settings.lora(spec.lora()), spec.training().seed());
        }
        try {
            return AdapterReader.read(model, shop.roots().resolve(spec.lora().initAdapter(), JobCode.INVALID_SPEC));
        } catch (InvalidFileException e) {
            throw JobException.reject(JobCode.INVALID_SPEC, e);
        }
    }
}
