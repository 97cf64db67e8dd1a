package dev.sluice.contracts.log;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BiConsumer;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.WakeupException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The latest value of every key of a topic, followed on an own thread: all partitions, no group, read_committed.
///
/// A null value removes its key. A message that cannot be read is counted and left out; it never stops the view. Reading
/// is safe from any thread. Listeners run on the view's thread, in the order of each partition: keep them short.
///
/// @param <T> what a value is read into
public final class CompactedView<T> implements AutoCloseable {

    /// Turns a message's value into `T`.
    @FunctionalInterface
    public interface Reader<T> {
        T read(byte[] value) throws Exception;
    }

    private static final Logger LOG = LoggerFactory.getLogger(CompactedView.class);
    private static final Duration POLL = Duration.ofMillis(100);
    /// While somebody waits: a poll that meets nothing but the marker of a transaction lasts its whole time.
    private static final Duration BRISK_POLL = Duration.ofMillis(10);

    private final KafkaConnection connection;
    private final String topic;
    private final Reader<T> reader;
    private final Consumer<String, byte[]> consumer;
    private final Map<String, T> latest = new ConcurrentHashMap<>();
    private final List<BiConsumer<String, T>> listeners = new CopyOnWriteArrayList<>();
    private final Map<TopicPartition, Long> positions = new ConcurrentHashMap<>();
    private final List<Target> targets = new CopyOnWriteArrayList<>();
    private final CountDownLatch loaded = new CountDownLatch(1);
    private final Thread thread;
    private volatile boolean closed;
    private volatile long unreadable;
    private volatile long lastPollNanos = System.nanoTime();

    /// Waits for positions to reach ends that were asked for.
    private record Target(Map<TopicPartition, Long> ends, CountDownLatch reached) {
        boolean isReached(Map<TopicPartition, Long> positions) {
            return ends.entrySet().stream().allMatch(end -> positions.getOrDefault(end.getKey(), 0L) >= end.getValue());
        }
    }

    /// Starts following `topic`; until it exists, waits for it.
    public CompactedView(KafkaConnection connection, String topic, Reader<T> reader) {
        this.connection = connection;
        this.topic = topic;
        this.reader = reader;
        this.consumer = connection.assigned("view-" + topic);
        this.thread = Thread.ofPlatform().daemon().name("view-" + topic).unstarted(this::follow);
        thread.start();
    }

    /// The latest value of `key`.
    public Optional<T> get(String key) {
        return Optional.ofNullable(latest.get(key));
    }

    /// The latest value of every key, as of now.
    public Map<String, T> snapshot() {
        return Map.copyOf(latest);
    }

    public List<T> values() {
        return new ArrayList<>(latest.values());
    }

    /// Calls `listener` with key and value (null: removed) for every message from now on.
    public void onChange(BiConsumer<String, T> listener) {
        listeners.add(listener);
    }

    /// Waits until everything that was in the topic at the start has been read.
    ///
    /// @return false when the time ran out
    public boolean awaitCaughtUp(Duration timeout) throws InterruptedException {
        return loaded.await(timeout.toNanos(), TimeUnit.NANOSECONDS);
    }

    /// Waits until everything committed by now has been read: read-your-writes.
    ///
    /// It waits for the end of the log, not for the end of what is visible: an unrelated open transaction may hide messages
    /// that were committed after it began.
    ///
    /// @return false when the time ran out
    public boolean refreshToEnd(Duration timeout) throws InterruptedException {
        long deadline = System.nanoTime() + timeout.toNanos();
        if (!awaitCaughtUp(timeout)) {
            return false;
        }
        Target target;
        try (Consumer<String, byte[]> probe = connection.probe("probe-" + topic)) {
            target = new Target(probe.endOffsets(positions.keySet(), timeout), new CountDownLatch(1));
        }
        targets.add(target);
        consumer.wakeup(); // else the thread sees the target only after its poll
        try {
            return target.reached.await(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
        } finally {
            targets.remove(target);
        }
    }

    /// Messages that could not be read and were left out.
    public long unreadable() {
        return unreadable;
    }

    /// Time since the view's thread last came back from the broker client; for liveness.
    public Duration sinceLastPoll() {
        return Duration.ofNanos(System.nanoTime() - lastPollNanos);
    }

    public boolean isRunning() {
        return thread.isAlive() && !closed;
    }

    @Override
    public void close() {
        closed = true;
        consumer.wakeup();
        try {
            thread.join(Duration.ofSeconds(5));
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    private void follow() {
        try (consumer) {
            Target start = assign();
            while (!closed) {
                try {
                    poll(start);
                } catch (WakeupException _) {
                    LOG.trace("view of {} looks up", topic);
                } catch (RetriableException e) {
                    LOG.warn("view of {} waits for the broker: {}", topic, e.getMessage());
                }
            }
        } catch (WakeupException _) {
            LOG.debug("view of {} closed", topic);
        } catch (RuntimeException e) {
            LOG.error("view of {} stopped: {}", topic, e.toString(), e);
        }
    }

    private void poll(Target start) {
        consumer.poll(targets.isEmpty() ? POLL : BRISK_POLL).forEach(this::apply);
        lastPollNanos = System.nanoTime();
        consumer.assignment().forEach(partition -> positions.put(partition, consumer.position(partition)));
        if (loaded.getCount() > 0 && start.isReached(positions)) {
            loaded.countDown();
        }
        targets.stream().filter(target -> target.isReached(positions)).forEach(target -> target.reached.countDown());
    }

    /// All partitions, waiting for the broker, and for a topic just created to be known there, as long as it takes.
    private Target assign() {
        while (!closed) {
            try {
                List<TopicPartition> partitions = consumer.partitionsFor(topic).stream().map(CompactedView::partition).toList();
                if (!partitions.isEmpty()) {
                    consumer.assign(partitions);
                    consumer.seekToBeginning(partitions);
                    return new Target(consumer.endOffsets(partitions), new CountDownLatch(1));
                }
                LockSupport.parkNanos(POLL.toNanos());
            } catch (RetriableException e) {
                LOG.warn("view of {} waits for the broker: {}", topic, e.getMessage());
            }
        }
        throw new WakeupException();
    }

    private static TopicPartition partition(PartitionInfo info) {
        return new TopicPartition(info.topic(), info.partition());
    }

    private void apply(ConsumerRecord<String, byte[]> message) {
        String key = message.key();
        if (key == null) {
            unreadable++;
            return;
        }
        try {
            T value = message.value() == null ? null : reader.read(message.value());
            if (value == null) {
                latest.remove(key);
            } else {
                latest.put(key, value);
            }
            listeners.forEach(listener -> listener.accept(key, value));
        } catch (Exception e) {
            unreadable++;
            LOG.warn("{}-{}@{}, key {}: cannot be read and is left out: {}", topic, message.partition(), message.offset(), key, e.toString());
        }
    }
}
