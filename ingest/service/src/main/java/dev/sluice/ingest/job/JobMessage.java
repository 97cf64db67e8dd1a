package dev.sluice.ingest.job;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.sluice.contracts.job.JobCode;
import dev.sluice.contracts.job.JobSpec;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.wire.Check;
import dev.sluice.contracts.wire.InvalidFieldsException;
import dev.sluice.contracts.wire.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/// A message of the jobs topic as the first state of a job: SUBMITTED, or REJECTED when it is no proper job.
final class JobMessage {

    private JobMessage() {}

    /// @return empty when the message names no job at all
    static Optional<JobState> read(ConsumerRecord<byte[], byte[]> message, Instant now) {
        String key = message.key() == null ? null : new String(message.key(), StandardCharsets.UTF_8);
        try {
            JobSpec spec = Json.read(message.value() == null ? new byte[0] : message.value(), JobSpec.class);
            return Optional.of(key == null || key.equals(spec.jobId()) ? submitted(spec, now)
                    : JobState.rejected(key, spec, JobCode.INVALID_SPEC, "The message's key '" + key + "' must be the job id '" + spec.jobId() + "'.", now));
        } catch (IOException | RuntimeException e) {
            return isId(key) ? Optional.of(JobState.rejected(key, null, JobCode.INVALID_SPEC, reason(e), now)) : Optional.empty();
        }
    }

    private static JobState submitted(JobSpec spec, Instant now) {
        return JobState.submitted(spec, JobPinner.isPinned(spec) ? spec.idempotencyKey() : null, now);
    }

    private static String reason(Exception failure) {
        return "The job is not valid: " + switch (failure) {
            case Exception wrapped when wrapped.getCause() instanceof InvalidFieldsException invalid -> invalid.getMessage();
            case JsonProcessingException json -> json.getOriginalMessage();
            case Exception other -> other.getMessage();
        };
    }

    private static boolean isId(String key) {
        try {
            return Check.id(key, "job_id") != null;
        } catch (IllegalArgumentException _) {
            return false;
        }
    }
}
