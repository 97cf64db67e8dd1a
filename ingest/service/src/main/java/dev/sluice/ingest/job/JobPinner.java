package dev.sluice.ingest.job;

import dev.sluice.contracts.dataset.DatasetVersion;
import dev.sluice.contracts.job.DatasetRef;
import dev.sluice.contracts.job.JobCode;
import dev.sluice.contracts.job.JobSpec;
import dev.sluice.ingest.dataset.Backlog;
import dev.sluice.ingest.dataset.Datasets;
import dev.sluice.ingest.prepare.RejectedException;
import java.util.Optional;

/// Fixes the dataset versions of a job, cutting one where it asks for the latest.
final class JobPinner {

    private final Datasets datasets;
    private final Backlog backlog;

    JobPinner(Datasets datasets, Backlog backlog) {
        this.datasets = datasets;
        this.backlog = backlog;
    }

    static boolean isPinned(JobSpec spec) {
        return !spec.dataset().isLatest() && (spec.heldout().dataset() == null || !spec.heldout().dataset().isLatest());
    }

    /// @throws RejectedException when a dataset or version does not exist, or its records were not read in time
    JobSpec pin(JobSpec spec) throws RejectedException, InterruptedException {
        if (!isPinned(spec) && !backlog.awaitNow()) {
            throw new RejectedException(JobCode.QUOTA, "Records that were sent before this job are still unread. Submit it again when ingest has"
                    + " caught up, or name a dataset version.");
        }
        DatasetRef heldout = spec.heldout().dataset();
        return spec.pinned(version(spec.dataset()).version(), heldout == null ? null : version(heldout).version());
    }

    /// The version that a pinned or unpinned reference means now.
    DatasetVersion version(DatasetRef dataset) throws RejectedException, InterruptedException {
        return (dataset.isLatest() ? datasets.cut(dataset.id()) : known(dataset)).orElseThrow(() -> new RejectedException(
                JobCode.DATASET_NOT_FOUND, "Dataset " + dataset.id() + (dataset.isLatest() ? " has no examples" : " has no version " + dataset.version())
                        + ". Send records with POST /datasets/" + dataset.id() + "/records, and see GET /datasets/" + dataset.id() + "."));
    }

    private Optional<DatasetVersion> known(DatasetRef dataset) throws InterruptedException {
        datasets.refresh();
        return datasets.version(dataset.id(), dataset.version());
    }
}
