package dev.sluice.evaluator;

import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.dataset.DatasetEvent;
import dev.sluice.contracts.dataset.PreparedDataset;
import dev.sluice.contracts.evaluation.Promotion;
import dev.sluice.contracts.evaluation.ScoreEvent;
import dev.sluice.contracts.job.JobSpec;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.log.CompactedView;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.Json;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/// Everything the evaluator reads, as the log has it now.
///
/// @param jobs what was asked for, whether ingest has taken it in or not
public record Views(CompactedView<AdapterPublished> adapters, CompactedView<DatasetEvent> datasets, CompactedView<ScoreEvent> scores,
        CompactedView<Promotion> promotions, CompactedView<JobState> jobStates, CompactedView<JobSpec> jobs) implements AutoCloseable {

    static Views open(KafkaConnection connection, Topics topics) {
        return new Views(view(connection, topics, Topic.ADAPTERS, AdapterPublished.class), view(connection, topics, Topic.DATASETS, DatasetEvent.class),
                view(connection, topics, Topic.SCORES, ScoreEvent.class), view(connection, topics, Topic.PROMOTIONS, Promotion.class),
                view(connection, topics, Topic.JOB_STATE, JobState.class), view(connection, topics, Topic.JOBS, JobSpec.class));
    }

    public List<CompactedView<?>> all() {
        return List.of(adapters, datasets, scores, promotions, jobStates, jobs);
    }

    /// Calls `listener` when anything changes that may give the evaluator work.
    void onChange(Runnable listener) {
        all().forEach(view -> view.onChange((_, _) -> listener.run()));
    }

    /// @return false when the time ran out
    boolean awaitCaughtUp(Duration timeout) throws InterruptedException {
        for (CompactedView<?> view : all()) {
            if (!view.awaitCaughtUp(timeout)) {
                return false;
            }
        }
        return true;
    }

    public boolean areRunning() {
        return all().stream().allMatch(CompactedView::isRunning);
    }

    public Optional<PreparedDataset> prepared(String preparedId) {
        return datasets.get(preparedId).filter(PreparedDataset.class::isInstance).map(PreparedDataset.class::cast);
    }

    @Override
    public void close() {
        all().forEach(CompactedView::close);
    }

    private static <T> CompactedView<T> view(KafkaConnection connection, Topics topics, Topic topic, Class<T> type) {
        return new CompactedView<>(connection, topics.name(topic), json -> Json.read(json, type));
    }
}
