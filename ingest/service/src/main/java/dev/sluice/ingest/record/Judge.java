package dev.sluice.ingest.record;

import dev.sluice.contracts.dataset.DatasetLedger;
import dev.sluice.contracts.dataset.RecordHeaders;
import dev.sluice.contracts.wire.Check;
import dev.sluice.contracts.wire.CloudEvent;
import dev.sluice.text.record.Outcome;
import dev.sluice.text.record.RecordLimits;
import dev.sluice.text.record.RecordParser;
import dev.sluice.text.record.Refusal;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.jboss.logging.Logger;

/// Says whether a record is an example, looking at nothing but the record. Never throws.
final class Judge {

    private static final Logger LOG = Logger.getLogger(Judge.class);
    /// Fewer levels than [dev.sluice.contracts.wire.Json] reads, because the example is wrapped once more on its way.
    private static final int MAX_DEPTH = 60;
    private static final int MAX_ID_CHARACTERS = 256;

    private final RecordParser parser;

    /// @param maxBytes largest record
    Judge(int maxBytes) {
        parser = new RecordParser(new RecordLimits(maxBytes, maxBytes, MAX_DEPTH));
    }

    Fate judge(ConsumerRecord<byte[], byte[]> record) {
        try {
            return record.value() == null
                    ? new Fate.Refused(DatasetLedger.UNASSIGNED, RefusalCode.NO_VALUE.name(), Stage.DESERIALIZE, "The message has no value. Send one JSON object.")
                    : judge(record, Envelope.read(record.value()));
        } catch (RuntimeException e) {
            LOG.errorf(e, "%s-%d@%d: judging failed", record.topic(), record.partition(), record.offset());
            return new Fate.Refused(DatasetLedger.UNASSIGNED, RefusalCode.INTERNAL.name(), Stage.PROCESS, "Judging the record failed: " + e);
        }
    }

    private Fate judge(ConsumerRecord<byte[], byte[]> record, Envelope envelope) {
        String named = dataset(record, envelope);
        String dataset = isId(named) ? named : DatasetLedger.UNASSIGNED;
        return switch (parser.parse(record.value())) {
            case Outcome.Refused(var code, var reason) -> new Fate.Refused(dataset, code.name(), stage(code), reason);
            case Outcome.Accepted _ when named == null -> new Fate.Refused(dataset, RefusalCode.NO_DATASET.name(), Stage.VALIDATE,
                    "The record names no dataset. Give it a field 'dataset_id', or the message a header '" + RecordHeaders.DATASET + "'.");
            case Outcome.Accepted _ when !isId(named) -> new Fate.Refused(dataset, RefusalCode.INVALID_DATASET_ID.name(), Stage.VALIDATE,
                    "The dataset id must be 1 to 128 letters, digits, '.', '_' or '-', starting with a letter or digit.");
            case Outcome.Accepted accepted -> new Fate.Accepted(dataset, recordId(record, envelope), accepted.json(), accepted.contentHash());
        };
    }

    /// The header for it, else the field, else the subject of the event.
    private static String dataset(ConsumerRecord<byte[], byte[]> record, Envelope envelope) {
        String header = CloudEvent.text(record.headers(), RecordHeaders.DATASET);
        if (header != null) {
            return header;
        }
        return envelope.datasetId() != null ? envelope.datasetId() : CloudEvent.text(record.headers(), "ce_subject");
    }

    private static boolean isId(String text) {
        try {
            Check.id(text, "dataset_id");
            return true;
        } catch (IllegalArgumentException _) {
            return false;
        }
    }

    private static Stage stage(Refusal code) {
        return switch (code) {
            case TOO_LARGE, NOT_UTF8, NOT_JSON, TOO_DEEP, DUPLICATE_FIELD, NUMBER_OUT_OF_RANGE -> Stage.DESERIALIZE;
            case LONE_SURROGATE, UNKNOWN_FORMAT, WRONG_TYPE, EMPTY, UNKNOWN_ROLE, NO_ASSISTANT_TURN -> Stage.VALIDATE;
        };
    }

    /// The message's key; else the record's own id; else one made from its content.
    private static String recordId(ConsumerRecord<byte[], byte[]> record, Envelope envelope) {
        String key = record.key() == null ? null : text(record.key());
        if (isUsable(key)) {
            return key;
        }
        return isUsable(envelope.recordId()) ? envelope.recordId() : Envelope.idOf(record.value());
    }

    private static boolean isUsable(String id) {
        return id != null && !id.isBlank() && id.length() <= MAX_ID_CHARACTERS;
    }

    /// The bytes as text, or null when they are no UTF-8.
    static String text(byte[] bytes) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException _) {
            return null;
        }
    }
}
