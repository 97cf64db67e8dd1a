package dev.sluice.ingest.record;

import dev.sluice.contracts.dataset.DatasetEvent;
import dev.sluice.contracts.dataset.DatasetLedger;
import dev.sluice.contracts.log.CompactedView;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.CloudEvent;
import dev.sluice.ingest.worker.Worker;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TimeoutException;
import org.jboss.logging.Logger;

/// Opens [RecordSession]s: claims, reads back what was committed, goes on from there.
public final class RecordWorker {

    private static final Logger LOG = Logger.getLogger(RecordWorker.class);
    private static final Duration LOAD_TIMEOUT = Duration.ofMinutes(2);

    private final KafkaConnection connection;
    private final Topics topics;
    private final CompactedView<DatasetEvent> datasets;
    private final Positions positions;
    private final FateCounters counters;
    private final Judge judge;
    private final int batchRecords;

    /// @param maxRecordBytes largest record that is accepted
    /// @param batchRecords most records of one transaction
    public RecordWorker(KafkaConnection connection, Topics topics, CompactedView<DatasetEvent> datasets, Positions positions,
            FateCounters counters, int maxRecordBytes, int batchRecords) {
        this.connection = connection;
        this.topics = topics;
        this.datasets = datasets;
        this.positions = positions;
        this.counters = counters;
        this.judge = new Judge(maxRecordBytes);
        this.batchRecords = batchRecords;
    }

    public void session(Worker worker) throws InterruptedException {
        String id = topics.scoped("ingest-records");
        try (var producer = connection.transactional(id); var consumer = connection.grouped(id, batchRecords)) {
            Map<String, Account> accounts = load(worker);
            new RecordSession(topics, judge, positions, counters, accounts, producer, consumer).run(worker);
        }
    }

    private Map<String, Account> load(Worker worker) throws InterruptedException {
        if (!datasets.refreshToEnd(LOAD_TIMEOUT)) {
            throw new TimeoutException("read " + topics.name(Topic.DATASETS) + ": not at its end after " + LOAD_TIMEOUT);
        }
        Map<String, Account> accounts = new HashMap<>();
        for (DatasetEvent event : datasets.values()) {
            if (event instanceof DatasetLedger ledger) {
                accounts.put(ledger.datasetId(), Account.of(ledger));
            }
        }
        long examples = remember(accounts, worker);
        accounts.values().forEach(Account::check);
        LOG.infof("records: %d datasets and %d examples read back", accounts.size(), examples);
        return accounts;
    }

    /// Everything that is in the examples topic now; after the claim, nobody else adds to it.
    private long remember(Map<String, Account> accounts, Worker worker) {
        long count = 0;
        try (Consumer<String, byte[]> consumer = connection.assigned("memory")) {
            List<TopicPartition> partitions = consumer.partitionsFor(topics.name(Topic.EXAMPLES)).stream()
                    .map(info -> new TopicPartition(info.topic(), info.partition())).toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
                for (var message : consumer.poll(Duration.ofMillis(200))) {
                    Account account = accounts.get(message.key());
                    if (account != null) {
                        account.remember(CloudEvent.text(message.headers(), Messages.CONTENT_HEADER));
                        count++;
                    }
                }
                worker.beat();
            }
        }
        return count;
    }
}
