package dev.sluice.contracts.topic;

import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.regex.Pattern;
import org.apache.kafka.common.utils.Utils;

/// The topics under one prefix, so that several pipelines can share a cluster.
///
/// @param prefix lower-case words joined by dots, without a dot at the end
public record Topics(String prefix) {

    public static final String DEFAULT_PREFIX = "sluice";
    private static final Pattern PREFIX = Pattern.compile("[a-z0-9][a-z0-9-]*(\\.[a-z0-9][a-z0-9-]*)*");

    public Topics {
        Objects.requireNonNull(prefix, "prefix");
        if (!PREFIX.matcher(prefix).matches()) {
            throw new IllegalArgumentException("topic prefix must be lower-case words joined by dots, was '" + prefix + "'");
        }
    }

    public static Topics standard() {
        return new Topics(DEFAULT_PREFIX);
    }

    /// Full name of a topic, for example `sluice.records.v1`.
    public String name(Topic topic) {
        return prefix + "." + topic.suffix();
    }

    /// The consumer group, client id or transactional id `purpose` of this pipeline.
    public String scoped(String purpose) {
        return prefix + "-" + purpose;
    }

    /// The transactional id under which a job's owner writes: claiming it fences every earlier owner.
    public String jobTransactionalId(String jobId) {
        return scoped("job-" + jobId);
    }

    /// The partition that Kafka's own partitioner picks for `key`.
    ///
    /// Records are keyed by record id, yet our producers place them by *dataset id*, so that the order of a file
    /// survives. A producer that does not care may leave the partition to its client.
    public static int partitionFor(String key, int partitions) {
        return Utils.toPositive(Utils.murmur2(key.getBytes(StandardCharsets.UTF_8))) % partitions;
    }
}
