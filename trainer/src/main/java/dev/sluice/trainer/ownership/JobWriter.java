package dev.sluice.trainer.ownership;

import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.log.FencedException;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.log.TransactionalProducer;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.EventWriter;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;

/// One job's transactional producer: making it fences every earlier one.
final class JobWriter implements AutoCloseable {

    private static final int TRANSACTION_TIMEOUT_MS = 10_000;

    private final TransactionalProducer producer;
    private final EventWriter events;

    private JobWriter(TransactionalProducer producer, EventWriter events) {
        this.producer = producer;
        this.events = events;
    }

    /// Fences every earlier owner of the job.
    static JobWriter claim(KafkaConnection connection, Topics topics, EventWriter events, String jobId, Duration lease) {
        return new JobWriter(connection.transactional(topics.jobTransactionalId(jobId), limits(lease)), events);
    }

    /// Nothing may be delivered later than the lease it renews: what does not get through in time is given up.
    private static Map<String, Object> limits(Duration lease) {
        int delivery = (int) Math.min(TRANSACTION_TIMEOUT_MS, lease.toMillis() * 2 / 3);
        return Map.of(
                ProducerConfig.TRANSACTION_TIMEOUT_CONFIG, TRANSACTION_TIMEOUT_MS,
                ProducerConfig.LINGER_MS_CONFIG, 0,
                ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, delivery,
                ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, delivery / 2,
                ProducerConfig.MAX_BLOCK_MS_CONFIG, delivery);
    }

    /// Writes all records in one transaction and returns the last state.
    ///
    /// @throws FencedException when there is a newer owner
    JobState write(Edit edit, JobState job, List<ProducerRecord<String, byte[]>> others) {
        List<JobState> records = edit.apply(job, Instant.now());
        producer.commit(transaction -> {
            others.forEach(transaction::send);
            records.forEach(state -> transaction.send(events.message(Topic.JOB_STATE, state.jobId(), state)));
        });
        return records.getLast();
    }

    @Override
    public void close() {
        producer.close();
    }
}
