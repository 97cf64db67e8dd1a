package dev.sluice.trainer.publish;

import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.adapter.TrainingSummary;
import dev.sluice.contracts.job.AdapterFormat;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.store.ArtifactStore;
import dev.sluice.contracts.store.Manifest;
import dev.sluice.contracts.wire.Json;
import dev.sluice.model.TokenRow;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.peft.AdapterExport;
import dev.sluice.model.peft.AdapterWriter;
import dev.sluice.trainer.run.StepRecord;
import dev.sluice.trainer.store.Folders;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;

/// Turns a trained adapter into files in the artifact store and the message that announces them. Nothing is announced
/// here: the message becomes visible with the job's SUCCEEDED, in one transaction of the job's owner.
///
/// @param folder scratch folder of the attempt for the adapter's files
public record Publisher(ArtifactStore store, Path folder) {

    /// Writes the PEFT files (read back and compared), `run.json` and, unless null, `rows.jsonl`, and stores them.
    public Manifest store(Adapter adapter, AdapterExport export, RunReport report, List<TokenRow> rows) throws IOException {
        try {
            AdapterWriter.write(adapter, folder, export);
            Files.write(folder.resolve("run.json"), Json.write(report));
            if (rows != null) {
                RowsFile.write(folder.resolve("rows.jsonl"), rows);
            }
            return Folders.store(store, folder);
        } finally {
            Folders.delete(folder);
        }
    }

    /// The announcement of stored files.
    ///
    /// @param format in which the adapter was written
    /// @param job as its owner last wrote it
    public static AdapterPublished announcement(Manifest files, AdapterFormat format, RunReport report, JobState job) {
        var spec = job.spec();
        List<StepRecord> steps = report.steps();
        var summary = new TrainingSummary(steps.size(), steps.getFirst().loss(), steps.getLast().loss(),
                steps.stream().mapToLong(StepRecord::trainedTokens).sum(), report.seconds());
        return new AdapterPublished(files.id(), files, job.jobId(), job.attempt(), job.token(), report.model(), spec.dataset().id(),
                spec.dataset().version(), job.preparedId(), spec.lora(), format, summary,
                Json.mapper().valueToTree(report.backend()), spec.evaluation(), Instant.now());
    }
}
