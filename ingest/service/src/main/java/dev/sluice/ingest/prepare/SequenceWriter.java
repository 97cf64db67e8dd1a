package dev.sluice.ingest.prepare;

import dev.sluice.contracts.dataset.OffsetRange;
import dev.sluice.contracts.dataset.PreparedSplit;
import dev.sluice.contracts.dataset.SequenceRow;
import dev.sluice.contracts.dataset.SequenceRowCodec;
import dev.sluice.contracts.log.Transaction;
import dev.sluice.contracts.log.TransactionalProducer;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.wire.CloudEvent;
import dev.sluice.contracts.wire.EventWriter;
import dev.sluice.contracts.wire.Sha256;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;

/// Writes the rows of one split, in transactions of a few megabytes. Rows of an attempt that died stay in the log between
/// the ranges of others; nothing points to them.
final class SequenceWriter {

    private static final int TRANSACTION_BYTES = 8 << 20;
    private static final String CONTENT_TYPE = "application/octet-stream";

    private final TransactionalProducer producer;
    private final EventWriter events;
    private final String preparedId;
    private final MessageDigest digest = Sha256.digest();
    private final List<byte[]> pending = new ArrayList<>();
    private int pendingBytes;
    private OffsetRange range;
    private long rows;
    private long examples;
    private long tokens;
    private long trainedTokens;

    SequenceWriter(TransactionalProducer producer, EventWriter events, String preparedId) {
        this.producer = producer;
        this.events = events;
        this.preparedId = preparedId;
    }

    void write(SequenceRow row) {
        byte[] bytes = SequenceRowCodec.write(row);
        digest.update(bytes);
        rows++;
        examples += row.segments();
        tokens += row.length();
        trainedTokens += row.trainedTokens();
        pending.add(bytes);
        pendingBytes += bytes.length;
        if (pendingBytes >= TRANSACTION_BYTES) {
            commit();
        }
    }

    /// Commits what is left.
    PreparedSplit finish(SplitTally tally) {
        commit();
        return new PreparedSplit(range == null ? List.of() : List.of(range), rows, examples, tokens, trainedTokens, tally.truncatedCount(),
                tally.refusedCount(), Sha256.hex(digest.digest()));
    }

    private void commit() {
        if (pending.isEmpty()) {
            return;
        }
        producer.commit(transaction -> {
            List<Future<RecordMetadata>> sent = pending.stream().map(bytes -> transaction.send(message(bytes))).toList();
            transaction.flush();
            RecordMetadata first = Transaction.sent(sent.getFirst());
            RecordMetadata last = Transaction.sent(sent.getLast());
            range = new OffsetRange(first.partition(), range == null ? first.offset() : range.from(), last.offset() + 1);
        });
        pending.clear();
        pendingBytes = 0;
    }

    private ProducerRecord<String, byte[]> message(byte[] bytes) {
        var message = new ProducerRecord<>(events.topics().name(Topic.SEQUENCES), preparedId, bytes);
        CloudEvent.of(events.source(), EventWriter.type(Topic.SEQUENCES), preparedId).write(message.headers(), CONTENT_TYPE);
        return message;
    }
}
