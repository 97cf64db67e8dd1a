package dev.sluice.contracts.log;

import java.time.Duration;
import java.util.function.Consumer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;

/// The owner of a transactional id. Messages of one transaction become visible together or never.
///
/// Keep transactions milliseconds long: an open one hides every later message of its partitions from read_committed
/// readers. Not for use by several threads at once.
public final class TransactionalProducer implements AutoCloseable {

    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(5);

    private final String transactionalId;
    private final Producer<String, byte[]> producer;

    private TransactionalProducer(String transactionalId, Producer<String, byte[]> producer) {
        this.transactionalId = transactionalId;
        this.producer = producer;
    }

    static TransactionalProducer claim(String transactionalId, Producer<String, byte[]> producer) {
        try {
            producer.initTransactions();
            return new TransactionalProducer(transactionalId, producer);
        } catch (RuntimeException e) {
            producer.close(Duration.ZERO);
            throw e;
        }
    }

    /// Runs `work` in a transaction and commits it. When it throws, the transaction is aborted.
    ///
    /// @throws FencedException when a newer owner exists; close this producer then
    /// @throws org.apache.kafka.common.KafkaException when the broker refused; after one whose transaction could not be aborted, claim anew
    public void commit(Consumer<Transaction> work) {
        try {
            producer.beginTransaction();
            work.accept(new Transaction(producer));
            producer.commitTransaction();
        } catch (RuntimeException e) {
            throw isFenced(e) ? new FencedException(transactionalId, e) : aborted(e);
        }
    }

    private RuntimeException aborted(RuntimeException cause) {
        try {
            producer.abortTransaction();
        } catch (RuntimeException e) {
            if (isFenced(e)) {
                return new FencedException(transactionalId, e);
            }
            cause.addSuppressed(e);
        }
        return cause;
    }

    private static boolean isFenced(Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof ProducerFencedException || cause instanceof InvalidProducerEpochException) {
                return true;
            }
        }
        return false;
    }

    public String transactionalId() {
        return transactionalId;
    }

    @Override
    public void close() {
        producer.close(CLOSE_TIMEOUT);
    }
}
