package dev.sluice.trainer.progress;

import dev.sluice.contracts.job.Progress;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.wire.EventWriter;
import java.time.Duration;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.common.KafkaException;
import org.jboss.logging.Logger;

/// Sends `progress.v1`: one acknowledgement, no transaction, may be lost. It has a thread of its own, because a producer
/// that has lost its broker holds up whoever sends; when that thread is behind, the oldest messages go.
public final class ProgressLog implements AutoCloseable {

    private static final Logger LOG = Logger.getLogger(ProgressLog.class);
    private static final int WAITING = 1_000;

    private final Producer<String, byte[]> producer;
    private final EventWriter events;
    private final ThreadPoolExecutor thread = new ThreadPoolExecutor(1, 1, 0, TimeUnit.SECONDS, new ArrayBlockingQueue<>(WAITING),
            Thread.ofPlatform().daemon().name("progress").factory(), new ThreadPoolExecutor.DiscardOldestPolicy());

    public ProgressLog(KafkaConnection connection, EventWriter events) {
        this.producer = connection.lossyProducer();
        this.events = events;
    }

    /// Returns at once and never fails.
    public void send(Progress progress) {
        thread.execute(() -> deliver(progress));
    }

    private void deliver(Progress progress) {
        try {
            producer.send(events.message(Topic.PROGRESS, progress.jobId(), progress), (_, failure) -> {
                if (failure != null) {
                    lost(progress, failure);
                }
            });
        } catch (KafkaException e) {
            lost(progress, e);
        }
    }

    private static void lost(Progress progress, Exception failure) {
        LOG.debugf("progress of job %s at step %d is lost: %s", progress.jobId(), progress.step(), failure.getMessage());
    }

    @Override
    public void close() {
        thread.shutdownNow();
        producer.close(Duration.ofSeconds(1));
    }
}
