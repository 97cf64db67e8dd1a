package dev.sluice.trainer.observe;

import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.trainer.ownership.JobTable;
import java.util.Optional;

/// What probes and the status page may see of the trainer.
public interface TrainerView {

    /// Id of this process as the owner of jobs.
    String owner();

    Pulse pulse();

    KafkaConnection connection();

    /// All jobs; empty until the job log has been read to its end.
    Optional<JobTable> jobs();

    /// The job that runs now.
    Optional<JobState> current();
}
