package dev.sluice.contracts.topic;

import static dev.sluice.contracts.topic.Cleanup.COMPACT;
import static dev.sluice.contracts.topic.Cleanup.DELETE;

import java.time.Duration;

/// Every topic of the pipeline: its key, how it forgets, and the largest message it takes.
///
/// The names here carry no prefix; [Topics] adds it. A breaking change of a value is a new topic (`….v2`).
public enum Topic {
    RECORDS("records.v1", "record id", 4, DELETE, 14, 8),
    RECORDS_DLQ("records.v1.dlq", "as source", 4, DELETE, 30, 9),
    EXAMPLES("examples.v1", "dataset id", 4, DELETE, Topic.FOREVER, 8),
    DATASETS("datasets.v1", "dataset id + version", 1, COMPACT, Topic.FOREVER, 1),
    SEQUENCES("sequences.v1", "prepared id", 4, DELETE, Topic.FOREVER, 16),
    JOBS("jobs.v1", "job id", 1, DELETE, 30, 1),
    JOB_STATE("job-state.v1", "job id", 4, COMPACT, Topic.FOREVER, 1),
    PROGRESS("progress.v1", "job id", 4, DELETE, 7, 1),
    CONTROL("control.v1", "job id", 1, DELETE, 7, 1),
    ADAPTERS("adapters.v1", "adapter id", 1, COMPACT, Topic.FOREVER, 1),
    SCORES("scores.v1", "adapter id + suite + baseline", 1, COMPACT, Topic.FOREVER, 1),
    PROMOTIONS("promotions.v1", "model alias", 1, COMPACT, Topic.FOREVER, 1);

    /// Retention of a topic that never forgets by age.
    public static final Duration UNLIMITED = Duration.ofMillis(-1);

    private static final int FOREVER = -1;

    private final String suffix;
    private final String keyRule;
    private final int partitions;
    private final Cleanup cleanup;
    private final Duration retention;
    private final int maxMessageBytes;

    Topic(String suffix, String keyRule, int partitions, Cleanup cleanup, int retentionDays, int maxMessageMebibytes) {
        this.suffix = suffix;
        this.keyRule = keyRule;
        this.partitions = partitions;
        this.cleanup = cleanup;
        this.retention = retentionDays == FOREVER ? Duration.ofMillis(-1) : Duration.ofDays(retentionDays);
        this.maxMessageBytes = maxMessageMebibytes << 20;
    }

    /// The name without the prefix, for example `records.v1`.
    public String suffix() {
        return suffix;
    }

    /// What the key of every message is, in words.
    public String keyRule() {
        return keyRule;
    }

    /// Partitions a new topic gets. A dead-letter topic has as many as its source.
    public int partitions() {
        return partitions;
    }

    public Cleanup cleanup() {
        return cleanup;
    }

    /// Age after which messages go, or [#UNLIMITED].
    public Duration retention() {
        return retention;
    }

    /// Largest record batch the topic takes, in bytes.
    public int maxMessageBytes() {
        return maxMessageBytes;
    }
}
