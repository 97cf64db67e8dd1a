package dev.sluice.cli.broker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.sluice.contracts.dataset.OffsetRange;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.log.LogRange;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.TopicAdmin;
import dev.sluice.contracts.topic.Topics;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EmbeddedBrokerTest {

    private static final Duration READY = Duration.ofSeconds(60);

    @TempDir
    Path folder;

    @Test
    void topicsAndMessagesSurviveKillAndRestartOnTheSamePort() throws Exception {
        try (EmbeddedBroker broker = EmbeddedBroker.start(folder.resolve("data"), 0, BrokerLifetime.WITH_PARENT)) {
            broker.awaitReady(READY);
            KafkaConnection connection = broker.connection("test");
            Topics topics = Topics.standard();
            try (var admin = connection.admin()) {
                TopicAdmin topicAdmin = new TopicAdmin(admin, topics);
                assertEquals(Topic.values().length, topicAdmin.createMissing(1).size());
                assertEquals(List.of(), topicAdmin.createMissing(1));
                assertEquals(List.of(), topicAdmin.check());
            }
            var sent = send(connection, topics.name(Topic.RECORDS));
            int port = broker.port();
            broker.kill();
            assertFalse(broker.isAlive());
            broker.restart();
            broker.awaitReady(READY);
            assertEquals(port, broker.port());
            long read = LogRange.read(connection, topics.name(Topic.RECORDS), List.of(sent), "key",
                    message -> assertEquals("value", new String(message.value())));
            assertEquals(1, read);
        }
    }

    @Test
    void transactionsUseTheProtocolWithoutLateCommits() throws Exception {
        try (var admin = SharedBroker.get().connection("test").admin()) {
            var features = admin.describeFeatures().featureMetadata().get().finalizedFeatures();
            assertEquals(2, features.get("transaction.version").maxVersionLevel());
        }
    }

    private static OffsetRange send(KafkaConnection connection, String topic) throws Exception {
        try (var producer = connection.producer()) {
            var sent = producer.send(new ProducerRecord<>(topic, "key", "value".getBytes())).get();
            return new OffsetRange(sent.partition(), sent.offset(), sent.offset() + 1);
        }
    }
}
