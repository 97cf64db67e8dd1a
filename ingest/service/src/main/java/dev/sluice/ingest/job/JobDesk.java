package dev.sluice.ingest.job;

import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.EventWriter;
import dev.sluice.ingest.dataset.Backlog;
import dev.sluice.ingest.dataset.Datasets;
import dev.sluice.ingest.prepare.ModelFolders;
import org.apache.kafka.clients.producer.Producer;

/// Everything about jobs, put together.
///
/// @param door takes jobs in
/// @param preparation prepares their rows
/// @param submissions jobs over REST
public record JobDesk(Jobs jobs, JobDoor door, JobPreparation preparation, Submissions submissions) {

    public static JobDesk open(KafkaConnection connection, Topics topics, Jobs jobs, Datasets datasets, Backlog backlog, ModelFolders models,
            Producer<String, byte[]> producer, EventWriter events) {
        JobPinner pinner = new JobPinner(datasets, backlog);
        return new JobDesk(jobs, new JobDoor(connection, topics, jobs),
                new JobPreparation(connection, topics, jobs, datasets, pinner, models, events), new Submissions(jobs, pinner, producer, events));
    }
}
