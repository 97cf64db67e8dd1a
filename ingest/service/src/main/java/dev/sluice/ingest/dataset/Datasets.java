package dev.sluice.ingest.dataset;

import dev.sluice.contracts.dataset.ContentSum;
import dev.sluice.contracts.dataset.DatasetEvent;
import dev.sluice.contracts.dataset.DatasetLedger;
import dev.sluice.contracts.dataset.DatasetVersion;
import dev.sluice.contracts.dataset.PreparedDataset;
import dev.sluice.contracts.log.CompactedView;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.wire.EventWriter;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.TimeoutException;

/// The datasets as the log has them: accounts, versions, prepared rows.
public final class Datasets {

    private static final Duration REFRESH_TIMEOUT = Duration.ofSeconds(30);

    private final CompactedView<DatasetEvent> view;
    private final Producer<String, byte[]> producer;
    private final EventWriter events;

    public Datasets(CompactedView<DatasetEvent> view, Producer<String, byte[]> producer, EventWriter events) {
        this.view = view;
        this.producer = producer;
        this.events = events;
    }

    /// All accounts, the one of unassigned records included, by id.
    public List<DatasetLedger> ledgers() {
        return view.values().stream().filter(DatasetLedger.class::isInstance).map(DatasetLedger.class::cast)
                .sorted(Comparator.comparing(DatasetLedger::datasetId)).toList();
    }

    public Optional<DatasetLedger> ledger(String datasetId) {
        return view.get(datasetId).map(DatasetLedger.class::cast);
    }

    /// The versions of a dataset, oldest first.
    public List<DatasetVersion> versions(String datasetId) {
        return view.values().stream().filter(DatasetVersion.class::isInstance).map(DatasetVersion.class::cast)
                .filter(version -> version.datasetId().equals(datasetId)).sorted(Comparator.comparing(DatasetVersion::version)).toList();
    }

    public Optional<DatasetVersion> version(String datasetId, long version) {
        return view.get(DatasetVersion.key(datasetId, version)).map(DatasetVersion.class::cast);
    }

    public Optional<PreparedDataset> prepared(String preparedId) {
        return view.get(preparedId).map(PreparedDataset.class::cast);
    }

    /// The dataset as it is now: a new version, or the last one when no example came since.
    ///
    /// @return empty when the dataset has no examples
    public synchronized Optional<DatasetVersion> cut(String datasetId) throws InterruptedException {
        refresh();
        Optional<DatasetLedger> found = ledger(datasetId).filter(ledger -> ledger.counts().accepted() > 0);
        if (found.isEmpty()) {
            return Optional.empty();
        }
        DatasetLedger ledger = found.get();
        List<DatasetVersion> versions = versions(datasetId);
        if (!versions.isEmpty() && versions.getLast().counts().accepted() == ledger.counts().accepted()) {
            return Optional.of(versions.getLast());
        }
        DatasetVersion version = new DatasetVersion(datasetId, versions.size() + 1L, ledger.ranges(), ledger.counts(), sha256(ledger), Instant.now());
        send(version);
        refresh();
        return Optional.of(version);
    }

    /// What a version cut now would be called.
    public static String sha256(DatasetLedger ledger) {
        return ContentSum.parse(ledger.contentSum()).datasetSha256(ledger.counts().accepted());
    }

    /// Waits until the view has everything committed by now.
    public void refresh() throws InterruptedException {
        if (!view.refreshToEnd(REFRESH_TIMEOUT)) {
            throw new TimeoutException("read the datasets topic: not at its end after " + REFRESH_TIMEOUT.toSeconds() + " s; is the broker up?");
        }
    }

    private void send(DatasetVersion version) throws InterruptedException {
        try {
            producer.send(events.message(Topic.DATASETS, version.key(), version)).get();
        } catch (ExecutionException e) {
            throw new KafkaException("cut version " + version.key() + ": " + e.getCause().getMessage(), e.getCause());
        }
    }
}
