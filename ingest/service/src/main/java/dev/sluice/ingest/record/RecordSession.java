package dev.sluice.ingest.record;

import dev.sluice.contracts.log.Transaction;
import dev.sluice.contracts.log.TransactionalProducer;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.EventWriter;
import dev.sluice.ingest.worker.Worker;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;

/// Gives every record its fate, exactly once.
///
/// A batch is one Kafka transaction: the examples, the dead letters, the ledgers of the datasets they belong to and the
/// positions they were read up to. A crash leaves all of it or nothing; the ledgers and the memory of duplicates are read
/// back from the log. One instance at a time does this: claiming the transactional id fences an earlier one, and the
/// partitions are assigned, not subscribed to, so a successor need not wait for a group to notice.
final class RecordSession {

    private static final Duration POLL = Duration.ofMillis(100);
    private static final Duration LOOK_FOR_PARTITIONS = Duration.ofMinutes(1);

    private final Topics topics;
    private final EventWriter events;
    private final Messages messages;
    private final Judge judge;
    private final Positions positions;
    private final FateCounters counters;
    private final Map<String, Account> accounts;
    private final TransactionalProducer producer;
    private final Consumer<byte[], byte[]> consumer;
    private final List<TopicPartition> partitions;
    private final boolean samePartitions;

    RecordSession(Topics topics, Judge judge, Positions positions, FateCounters counters, Map<String, Account> accounts,
            TransactionalProducer producer, Consumer<byte[], byte[]> consumer) {
        this.topics = topics;
        this.events = new EventWriter(topics, Messages.SOURCE);
        this.messages = new Messages(topics);
        this.judge = judge;
        this.positions = positions;
        this.counters = counters;
        this.accounts = accounts;
        this.producer = producer;
        this.consumer = consumer;
        this.partitions = partitions(Topic.RECORDS);
        this.samePartitions = partitions(Topic.RECORDS_DLQ).size() == partitions.size();
    }

    /// Works until asked to stop, or until the topic has more partitions than it knows.
    void run(Worker worker) {
        consumer.assign(partitions);
        report();
        worker.running();
        long look = System.nanoTime();
        while (!worker.isStopping()) {
            ConsumerRecords<byte[], byte[]> records = consumer.poll(POLL);
            if (!records.isEmpty()) {
                commit(records);
            }
            report();
            worker.beat();
            if (System.nanoTime() - look > LOOK_FOR_PARTITIONS.toNanos()) {
                look = System.nanoTime();
                if (partitions(Topic.RECORDS).size() != partitions.size()) {
                    return;
                }
            }
        }
    }

    private void commit(ConsumerRecords<byte[], byte[]> records) {
        List<Fate> fates = new ArrayList<>(records.count());
        producer.commit(transaction -> {
            List<Sent> sent = new ArrayList<>();
            for (ConsumerRecord<byte[], byte[]> record : records) {
                Fate fate = withoutRepeats(judge.judge(record));
                fates.add(fate);
                send(transaction, record, fate, sent);
            }
            transaction.flush();
            sent.forEach(this::enter);
            Set<String> touched = new HashSet<>();
            fates.forEach(fate -> touched.add(fate.datasetId()));
            Instant now = Instant.now();
            touched.forEach(id -> transaction.send(events.message(Topic.DATASETS, id, account(id).ledger(now))));
            transaction.offsets(offsets(), consumer.groupMetadata());
        });
        fates.forEach(counters::count);
    }

    private Fate withoutRepeats(Fate fate) {
        return fate instanceof Fate.Accepted accepted && !account(accepted.datasetId()).isNew(accepted.contentSha256())
                ? new Fate.Duplicate(accepted.datasetId()) : fate;
    }

    /// An example on its way, whose offset is known after the flush.
    private record Sent(Fate.Accepted fate, Future<RecordMetadata> metadata) {}

    private void send(Transaction transaction, ConsumerRecord<byte[], byte[]> record, Fate fate, List<Sent> sent) {
        switch (fate) {
            case Fate.Accepted accepted -> sent.add(new Sent(accepted, transaction.send(messages.example(record, accepted))));
            case Fate.Duplicate duplicate -> account(duplicate.datasetId()).duplicate();
            case Fate.Refused refused -> {
                transaction.send(messages.deadLetter(record, refused, samePartitions));
                account(refused.datasetId()).refused();
            }
        }
    }

    private void enter(Sent sent) {
        RecordMetadata metadata = Transaction.sent(sent.metadata());
        account(sent.fate().datasetId()).accepted(sent.fate().contentSha256(), metadata.partition(), metadata.offset());
    }

    private Account account(String datasetId) {
        return accounts.computeIfAbsent(datasetId, Account::new);
    }

    private Map<TopicPartition, OffsetAndMetadata> offsets() {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        partitions.forEach(partition -> offsets.put(partition, new OffsetAndMetadata(consumer.position(partition))));
        return offsets;
    }

    private void report() {
        Map<TopicPartition, Long> read = new HashMap<>();
        long backlog = 0;
        for (TopicPartition partition : partitions) {
            read.put(partition, consumer.position(partition));
            backlog += consumer.currentLag(partition).orElse(0);
        }
        positions.update(read, backlog);
    }

    private List<TopicPartition> partitions(Topic topic) {
        return consumer.partitionsFor(topics.name(topic)).stream().map(info -> new TopicPartition(info.topic(), info.partition())).toList();
    }
}
