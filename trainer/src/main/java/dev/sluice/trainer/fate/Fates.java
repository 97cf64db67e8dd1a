package dev.sluice.trainer.fate;

import dev.sluice.compute.BackendFaultException;
import dev.sluice.compute.BackendUnavailableException;
import dev.sluice.compute.OutOfMemoryException;
import dev.sluice.contracts.job.JobCode;
import dev.sluice.contracts.log.DamagedLogException;
import dev.sluice.model.InvalidFileException;
import dev.sluice.model.UnsupportedModelException;
import dev.sluice.model.training.NonFiniteLossException;
import dev.sluice.trainer.ownership.OwnershipLostException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.CompletionException;
import org.apache.kafka.common.KafkaException;

/// What a failure means for the job: the one place where exceptions become fates.
public final class Fates {

    private Fates() {}

    public static Fate of(Throwable failure) {
        return switch (failure) {
            case CompletionException e when e.getCause() != null -> of(e.getCause());
            case JobException e -> e.fate();
            case OwnershipLostException e -> new Fate.Dropped(e.getMessage());
            case NonFiniteLossException e -> new Fate.Reject(JobCode.NAN_LOSS, e.getMessage());
            case UnsupportedModelException e -> new Fate.Reject(JobCode.MODEL_UNSUPPORTED, e.getMessage());
            case InvalidFileException e -> new Fate.Reject(JobCode.MODEL_UNSUPPORTED, e.getMessage());
            case BackendUnavailableException e -> new Fate.Reject(JobCode.BACKEND_UNAVAILABLE, e.getMessage());
            case BackendFaultException e -> new Fate.Reject(JobCode.BACKEND_UNAVAILABLE, e.getMessage());
            case UnsupportedOperationException e when e.getMessage() != null -> new Fate.Reject(JobCode.BACKEND_UNAVAILABLE, e.getMessage());
            case OutOfMemoryException e -> new Fate.Reject(JobCode.GPU_OOM, e.getMessage());
            case OutOfMemoryError e -> new Fate.Reject(JobCode.GPU_OOM, "this machine's memory is used up: " + e.getMessage()
                    + "; lower max_length, batch_size or the LoRA rank");
            case DamagedLogException e -> new Fate.Reject(JobCode.HASH_MISMATCH, e.getMessage());
            case UncheckedIOException e -> storage(e.getCause());
            case IOException e -> storage(e);
            case KafkaException e -> new Fate.Retry(JobCode.STORAGE_UNAVAILABLE, "the log cannot be read: " + e.getMessage());
            case LinkageError e -> new Fate.Stop("the compute backend broke: " + e);
            case InternalError e -> new Fate.Stop("the virtual machine reports a fault of the device or a mapped file: " + e.getMessage());
            case IllegalArgumentException e -> new Fate.Reject(JobCode.INVALID_SPEC, e.getMessage());
            default -> new Fate.Retry(JobCode.INTERNAL, "unexpected " + failure + "; the trainer's log has more");
        };
    }

    /// Whether the log should show where it came from: faults of ours, never mistakes of users.
    public static boolean isUnexpected(Throwable failure) {
        return switch (of(failure)) {
            case Fate.Retry(var code, _) -> code == JobCode.INTERNAL;
            case Fate.Stop _ -> true;
            case Fate.Published _, Fate.Cancelled _, Fate.Preempted _, Fate.Reject _, Fate.Dropped _ -> false;
        };
    }

    private static Fate storage(IOException failure) {
        String reason = failure.getMessage() == null ? failure.toString() : failure.getMessage();
        return reason.contains("No space left") || reason.contains("Disk quota exceeded")
                ? new Fate.Retry(JobCode.DISK_FULL, reason + "; free some space")
                : new Fate.Retry(JobCode.STORAGE_UNAVAILABLE, reason);
    }
}
