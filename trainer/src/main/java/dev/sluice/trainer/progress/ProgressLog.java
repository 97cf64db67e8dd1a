package dev.sluice.trainer.progress;

import dev.sluice.contracts.job.Progress;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.wire.EventWriter;
import java.time.Duration;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.common.KafkaException;
import org.jboss.logging.Logger;

/// Sends `progress.v1`: one acknowledgement, no transaction, may be lost. It never holds up a step for longer than the
/// producer's short patience, and never fails one.
public final class ProgressLog implements AutoCloseable {

    private static final Logger LOG = Logger.getLogger(ProgressLog.class);

    private final Producer<String, byte[]> producer;
    private final EventWriter events;

    public ProgressLog(KafkaConnection connection, EventWriter events) {
        this.producer = connection.lossyProducer();
        this.events = events;
    }

    public void send(Progress progress) {
        try {
            producer.send(events.message(Topic.PROGRESS, progress.jobId(), progress), (_, failure) -> {
                if (failure != null) {
                    LOG.debugf("progress of job %s at step %d is lost: %s", progress.jobId(), progress.step(), failure.getMessage());
                }
            });
        } catch (KafkaException e) {
            LOG.debugf("progress of job %s at step %d is lost: %s", progress.jobId(), progress.step(), e.getMessage());
        }
    }

    @Override
    public void close() {
        producer.close(Duration.ofSeconds(1));
    }
}
