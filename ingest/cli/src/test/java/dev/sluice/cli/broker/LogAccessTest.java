package dev.sluice.cli.broker;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.contracts.dataset.OffsetRange;
import dev.sluice.contracts.log.CompactedView;
import dev.sluice.contracts.log.FencedException;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.log.LogRange;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// What `dev.sluice.contracts.log` promises, on a real broker.
class LogAccessTest {

    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private final KafkaConnection connection = SharedBroker.get().connection("test");
    private final String topic = "log-" + UUID.randomUUID();

    @BeforeEach
    void createTopic() throws Exception {
        try (var admin = connection.admin()) {
            admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
        }
    }

    @Test
    void aViewHasTheLatestValueOfEveryKeyAndForgetsTombstones() throws Exception {
        try (var producer = connection.producer(); var view = view()) {
            producer.send(message("a", "1"));
            producer.send(message("b", "1"));
            producer.send(message("a", "2"));
            producer.send(message("b", null)).get();
            assertTrue(view.refreshToEnd(PATIENCE));
            assertEquals(Map.of("a", "2"), view.snapshot());
        }
    }

    @Test
    void anUnreadableMessageDoesNotStopAView() throws Exception {
        try (var producer = connection.producer(); var view = new CompactedView<>(connection, topic, value -> Integer.parseInt(new String(value, UTF_8)))) {
            producer.send(message("a", "1"));
            producer.send(message("a", "one"));
            producer.send(message("b", "2")).get();
            assertTrue(view.refreshToEnd(PATIENCE));
            assertEquals(Map.of("a", 1, "b", 2), view.snapshot());
            assertEquals(1, view.unreadable());
        }
    }

    @Test
    void aZombieIsFencedAndPublishesNothing() throws Exception {
        try (var zombie = connection.transactional("job-1"); var view = view()) {
            zombie.commit(transaction -> transaction.send(message("a", "first")));
            try (var owner = connection.transactional("job-1")) {
                owner.commit(transaction -> transaction.send(message("a", "second")));
                assertThrows(FencedException.class, () -> zombie.commit(transaction -> transaction.send(message("a", "zombie"))));
            }
            assertTrue(view.refreshToEnd(PATIENCE));
            assertEquals(Optional.of("second"), view.get("a"));
        }
    }

    @Test
    void aFailedTransactionLeavesNothingAndTheNextOneGoesThrough() throws Exception {
        try (var producer = connection.transactional("job-2"); var view = view()) {
            assertThrows(IllegalStateException.class, () -> producer.commit(transaction -> {
                transaction.send(message("a", "half"));
                transaction.flush();
                throw new IllegalStateException("the work failed");
            }));
            producer.commit(transaction -> transaction.send(message("b", "whole")));
            assertTrue(view.refreshToEnd(PATIENCE));
            assertEquals(Map.of("b", "whole"), view.snapshot());
        }
    }

    @Test
    void aRangeHoldsTheCommittedMessagesOfItsKeyInOrder() throws Exception {
        List<String> read = new ArrayList<>();
        try (var producer = connection.transactional("job-3")) {
            producer.commit(transaction -> {
                transaction.send(message("a", "0"));
                transaction.send(message("b", "1"));
                transaction.send(message("a", "2"));
            });
            assertThrows(IllegalStateException.class, () -> producer.commit(transaction -> {
                transaction.send(message("a", "aborted"));
                transaction.flush();
                throw new IllegalStateException("the work failed");
            }));
            producer.commit(transaction -> transaction.send(message("a", "6"))); // offsets 3 and 5 are markers, 4 was aborted
        }
        assertEquals(2, LogRange.read(connection, topic, List.of(new OffsetRange(0, 1, 7)), "a", message -> read.add(new String(message.value(), UTF_8))));
        assertEquals(List.of("2", "6"), read);
    }

    private CompactedView<String> view() {
        return new CompactedView<>(connection, topic, value -> new String(value, UTF_8));
    }

    private ProducerRecord<String, byte[]> message(String key, String value) {
        return new ProducerRecord<>(topic, key, value == null ? null : value.getBytes(UTF_8));
    }
}
