package dev.sluice.contracts.log;

import dev.sluice.contracts.dataset.PreparedDataset;
import dev.sluice.contracts.dataset.PreparedSplit;
import dev.sluice.contracts.dataset.SequenceRow;
import dev.sluice.contracts.dataset.SequenceRowCodec;
import dev.sluice.contracts.dataset.Split;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.Sha256;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;

/// The rows of a prepared dataset, in order, with count and hash verified.
public final class PreparedRows {

    private PreparedRows() {}

    /// Hands the rows of `split` to `sink` one by one. Whatever `sink` got is verified only when this returns.
    ///
    /// @throws DamagedLogException when count or hash differ from what `prepared` promises
    public static void forEach(KafkaConnection connection, Topics topics, PreparedDataset prepared, Split split, Consumer<SequenceRow> sink) {
        PreparedSplit expected = prepared.split(split);
        MessageDigest digest = Sha256.digest();
        long rows;
        try {
            rows = LogRange.read(connection, topics.name(Topic.SEQUENCES), expected.ranges(), prepared.preparedId(), message -> {
                digest.update(message.value());
                sink.accept(SequenceRowCodec.read(message.value()));
            });
        } catch (OffsetOutOfRangeException e) {
            throw new DamagedLogException(describe(prepared, split) + " is no longer in the log; submit the job again to prepare it anew", e);
        }
        String sha256 = Sha256.hex(digest.digest());
        if (rows != expected.rows() || !sha256.equals(expected.sha256())) {
            throw new DamagedLogException(describe(prepared, split) + " has " + rows + " rows with SHA-256 " + sha256 + ", promised were "
                    + expected.rows() + " with " + expected.sha256() + "; produce the records under another dataset id and train on that");
        }
    }

    /// All rows of `split`, verified.
    public static List<SequenceRow> read(KafkaConnection connection, Topics topics, PreparedDataset prepared, Split split) {
        List<SequenceRow> rows = new ArrayList<>();
        forEach(connection, topics, prepared, split, rows::add);
        return rows;
    }

    private static String describe(PreparedDataset prepared, Split split) {
        return "split " + split + " of prepared dataset " + prepared.preparedId();
    }
}
