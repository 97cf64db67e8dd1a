package dev.sluice.ingest;

import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.topic.TopicAdmin;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.ingest.config.IngestConfig;
import dev.sluice.ingest.worker.Worker;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import org.jboss.logging.Logger;

/// Brings the service up as soon as there is a broker, and down in order. HTTP answers from the first moment.
@ApplicationScoped
public class Pipeline {

    private static final Logger LOG = Logger.getLogger(Pipeline.class);

    private final KafkaConnection connection;
    private final Topics topics;
    private final IngestConfig config;
    private final MeterRegistry metrics;
    private final CountDownLatch stop = new CountDownLatch(1);
    private final Worker starter = new Worker("ingest-start", this::session);
    private volatile Parts parts;

    Pipeline(KafkaConnection connection, Topics topics, IngestConfig config, MeterRegistry metrics) {
        this.connection = connection;
        this.topics = topics;
        this.config = config;
        this.metrics = metrics;
    }

    void start(@Observes StartupEvent event) {
        starter.start();
    }

    void stop(@Observes ShutdownEvent event) {
        stop.countDown();
        starter.close();
    }

    /// The running parts, or empty while there is no broker.
    public Optional<Parts> parts() {
        return Optional.ofNullable(parts);
    }

    private void session(Worker worker) throws Exception {
        createTopics();
        try (Parts opened = Parts.open(connection, topics, config, metrics)) {
            parts = opened;
            worker.running();
            stop.await();
        } finally {
            parts = null;
        }
    }

    private void createTopics() {
        try (var admin = connection.admin()) {
            TopicAdmin topicAdmin = new TopicAdmin(admin, topics);
            var created = topicAdmin.createMissing(config.replicationFactor());
            if (!created.isEmpty()) {
                LOG.infof("created topics: %s", String.join(", ", created));
            }
            topicAdmin.check().forEach(LOG::warn);
        }
    }
}
