package dev.sluice.contracts.topic;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.errors.TopicExistsException;

/// Creates the topics that are missing and says what is wrong with the others. Safe to call from every service at once.
public final class TopicAdmin {

    private static final long TIMEOUT_SECONDS = 30;
    private static final int SAFE_TRANSACTIONS = 2;

    private final Admin admin;
    private final Topics topics;

    public TopicAdmin(Admin admin, Topics topics) {
        this.admin = Objects.requireNonNull(admin, "admin");
        this.topics = Objects.requireNonNull(topics, "topics");
    }

    /// Creates what is missing; topics that exist are left alone.
    ///
    /// @return the names this call created
    public List<String> createMissing(int replicationFactor) {
        Set<String> existing = existing();
        List<String> created = new ArrayList<>();
        for (Topic topic : Topic.values()) {
            if (!existing.contains(topics.name(topic)) && create(topic, replicationFactor)) {
                created.add(topics.name(topic));
            }
        }
        return created;
    }

    /// What is missing or differs from the contract, one sentence each; empty when all is well.
    public List<String> check() {
        Set<String> existing = existing();
        List<String> problems = new ArrayList<>();
        List<String> present = new ArrayList<>();
        for (Topic topic : Topic.values()) {
            if (existing.contains(topics.name(topic))) {
                present.add(topics.name(topic));
            } else {
                problems.add("topic " + topics.name(topic) + " is missing; start ingest, which creates it, or create it with "
                        + topic.partitions() + " partitions and cleanup.policy=" + topic.cleanup().policy());
            }
        }
        Map<String, TopicDescription> found = await(admin.describeTopics(present).allTopicNames(), "describe topics");
        comparePartitions(found, Topic.RECORDS, Topic.RECORDS_DLQ, problems);
        checkTransactions(problems);
        return problems;
    }

    /// Before KIP-890 (transaction.version 2) a commit that was delayed in the network could end a later transaction.
    private void checkTransactions(List<String> problems) {
        var feature = await(admin.describeFeatures().featureMetadata(), "describe features").finalizedFeatures().get("transaction.version");
        int level = feature == null ? 0 : feature.maxVersionLevel();
        if (level < SAFE_TRANSACTIONS) {
            problems.add("the brokers run transaction.version=" + level + ", under which a delayed commit can end a later transaction; upgrade with"
                    + " kafka-features.sh upgrade --feature transaction.version=" + SAFE_TRANSACTIONS);
        }
    }

    private void comparePartitions(Map<String, TopicDescription> found, Topic source, Topic dlq, List<String> problems) {
        TopicDescription from = found.get(topics.name(source));
        TopicDescription to = found.get(topics.name(dlq));
        if (from != null && to != null && from.partitions().size() != to.partitions().size()) {
            problems.add("topic " + to.name() + " has " + to.partitions().size() + " partitions, its source " + from.name()
                    + " has " + from.partitions().size() + "; give both the same number");
        }
    }

    private Set<String> existing() {
        return await(admin.listTopics().names(), "list topics");
    }

    private boolean create(Topic topic, int replicationFactor) {
        NewTopic wanted = new NewTopic(topics.name(topic), topic.partitions(), (short) replicationFactor).configs(Map.of(
                TopicConfig.CLEANUP_POLICY_CONFIG, topic.cleanup().policy(),
                TopicConfig.RETENTION_MS_CONFIG, Long.toString(topic.retention().toMillis()),
                TopicConfig.MAX_MESSAGE_BYTES_CONFIG, Integer.toString(topic.maxMessageBytes())));
        try {
            await(admin.createTopics(List.of(wanted)).all(), "create topic " + wanted.name());
            return true;
        } catch (TopicExistsException _) {
            return false; // another service was faster
        }
    }

    private static <T> T await(KafkaFuture<T> future, String operation) {
        try {
            return future.get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof KafkaException kafka ? kafka : new KafkaException(operation + ": " + e.getCause(), e);
        } catch (TimeoutException e) {
            throw new KafkaException(operation + ": no answer from the broker in " + TIMEOUT_SECONDS
                    + " s; check kafka.bootstrap.servers", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new KafkaException(operation + ": interrupted", e);
        }
    }
}
