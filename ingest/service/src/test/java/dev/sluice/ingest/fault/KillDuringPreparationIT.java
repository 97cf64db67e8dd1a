package dev.sluice.ingest.fault;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.cli.broker.SharedBroker;
import dev.sluice.contracts.dataset.DatasetEvent;
import dev.sluice.contracts.dataset.PreparedDataset;
import dev.sluice.contracts.dataset.Split;
import dev.sluice.contracts.job.JobPhase;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.log.CompactedView;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.log.PreparedRows;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.TopicAdmin;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.Json;
import dev.sluice.ingest.Await;
import dev.sluice.ingest.rest.Api;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.Test;

/// `kill -9` while jobs are prepared.
class KillDuringPreparationIT {

    private static final int RECORDS = 5_000;
    private static final List<Integer> LENGTHS = List.of(256, 512, 1024);

    private final KafkaConnection connection = SharedBroker.get().connection("test");

    @Test
    void everyJobIsQueuedOnceWithTheRowsOfAnUndisturbedRun() throws Exception {
        Map<String, PreparedDataset> calm = prepare(new Topics("jobs-calm"), false);
        Map<String, PreparedDataset> killed = prepare(new Topics("jobs-killed"), true);
        assertEquals(calm.keySet(), killed.keySet());
        calm.forEach((job, prepared) -> {
            assertEquals(prepared.preparedId(), killed.get(job).preparedId());
            assertEquals(prepared.train().sha256(), killed.get(job).train().sha256());
            assertEquals(prepared.heldout().sha256(), killed.get(job).heldout().sha256());
        });
    }

    private Map<String, PreparedDataset> prepare(Topics topics, boolean kill) throws Exception {
        try (var admin = connection.admin()) {
            new TopicAdmin(admin, topics).createMissing(1);
        }
        RecordStream.sendFile(connection, topics, RECORDS);
        submit(topics);
        List<JobState> history = new ArrayList<>();
        String broker = SharedBroker.get().bootstrapServers();
        try (var jobs = new CompactedView<>(connection, topics.name(Topic.JOB_STATE), json -> remember(history, Json.read(json, JobState.class)));
                var datasets = new CompactedView<>(connection, topics.name(Topic.DATASETS), json -> Json.read(json, DatasetEvent.class))) {
            if (kill) {
                killWhen(JobPhase.SUBMITTED, broker, topics, jobs);
                killWhen(JobPhase.QUEUED, broker, topics, jobs);
            }
            try (ServiceProcess _ = ServiceProcess.start(broker, topics, Map.of())) {
                Await.until(() -> count(jobs, JobPhase.QUEUED), queued -> queued == LENGTHS.size());
            }
            assertLegal(history);
            Map<String, PreparedDataset> prepared = new HashMap<>();
            for (JobState job : jobs.values()) {
                PreparedDataset rows = (PreparedDataset) Await.until(() -> datasets.get(job.preparedId()), Optional::isPresent).orElseThrow();
                assertEquals(rows.train().rows(), PreparedRows.read(connection, topics, rows, Split.TRAIN).size());
                prepared.put(job.jobId(), rows);
            }
            return prepared;
        }
    }

    private static void killWhen(JobPhase phase, String broker, Topics topics, CompactedView<JobState> jobs) throws Exception {
        try (ServiceProcess service = ServiceProcess.start(broker, topics, Map.of())) {
            Await.until(() -> count(jobs, phase), count -> count > 0);
            service.kill();
        }
        System.out.printf("killed with %d of %d jobs queued%n", count(jobs, JobPhase.QUEUED), LENGTHS.size());
        assertTrue(count(jobs, JobPhase.QUEUED) < LENGTHS.size(), "killed too late to prove anything");
    }

    private void submit(Topics topics) {
        try (var producer = connection.producer()) {
            for (int length : LENGTHS) {
                String spec = "{\"job_id\":\"job-" + length + "\",\"model\":{\"uri\":\"" + Api.MODEL.toUri() + "\"},\"dataset\":{\"id\":\""
                        + RecordStream.DATASET + "\"},\"training\":{\"max_length\":" + length + "}}";
                producer.send(new ProducerRecord<>(topics.name(Topic.JOBS), "job-" + length, spec.getBytes()));
            }
        }
    }

    private static JobState remember(List<JobState> history, JobState state) {
        synchronized (history) {
            history.add(state);
        }
        return state;
    }

    private static void assertLegal(List<JobState> history) {
        Map<String, JobPhase> latest = new HashMap<>();
        synchronized (history) {
            for (JobState state : history) {
                JobPhase before = latest.put(state.jobId(), state.phase());
                assertTrue(before == null || before.allows(state.phase()), state.jobId() + " went from " + before + " to " + state.phase());
            }
            assertEquals(LENGTHS.size(), history.stream().filter(state -> state.phase() == JobPhase.QUEUED).count(), "each job is queued once");
        }
    }

    private static long count(CompactedView<JobState> jobs, JobPhase phase) {
        return jobs.values().stream().filter(job -> job.phase() == phase).count();
    }
}
