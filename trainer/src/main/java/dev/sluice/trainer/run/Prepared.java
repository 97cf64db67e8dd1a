package dev.sluice.trainer.run;

import dev.sluice.contracts.dataset.DatasetEvent;
import dev.sluice.contracts.dataset.PreparedDataset;
import dev.sluice.contracts.dataset.SequenceRow;
import dev.sluice.contracts.dataset.Split;
import dev.sluice.contracts.job.JobCode;
import dev.sluice.contracts.log.CompactedView;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.log.PreparedRows;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.Json;
import dev.sluice.trainer.fate.JobException;
import java.time.Duration;
import java.util.List;
import org.apache.kafka.common.KafkaException;

/// Prepared datasets: their descriptions in `datasets.v1`, their rows in `sequences.v1`.
public final class Prepared implements AutoCloseable {

    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private final KafkaConnection connection;
    private final Topics topics;
    private final CompactedView<DatasetEvent> datasets;

    public Prepared(KafkaConnection connection, Topics topics) {
        this.connection = connection;
        this.topics = topics;
        this.datasets = new CompactedView<>(connection, topics.name(Topic.DATASETS), value -> Json.read(value, DatasetEvent.class));
    }

    /// @throws JobException with DATASET_NOT_FOUND when the topic does not hold it
    public PreparedDataset describe(String preparedId) throws InterruptedException {
        if (datasets.get(preparedId).isEmpty() && !datasets.refreshToEnd(PATIENCE)) {
            throw new KafkaException("the end of " + topics.name(Topic.DATASETS) + " was not reached in " + PATIENCE);
        }
        return datasets.get(preparedId)
                .filter(PreparedDataset.class::isInstance)
                .map(PreparedDataset.class::cast)
                .orElseThrow(() -> JobException.reject(JobCode.DATASET_NOT_FOUND,
                        "topic " + topics.name(Topic.DATASETS) + " holds no prepared dataset " + preparedId + "; submit the job again"));
    }

    /// The rows to train on, count and hash verified.
    public List<SequenceRow> trainingRows(PreparedDataset prepared) {
        List<SequenceRow> rows = PreparedRows.read(connection, topics, prepared, Split.TRAIN);
        if (rows.isEmpty()) {
            throw JobException.reject(JobCode.NOTHING_TO_TRAIN, "prepared dataset " + prepared.preparedId() + " has no training rows");
        }
        return rows;
    }

    @Override
    public void close() {
        datasets.close();
    }
}
