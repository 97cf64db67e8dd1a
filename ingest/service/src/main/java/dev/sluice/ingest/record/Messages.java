package dev.sluice.ingest.record;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.CloudEvent;
import dev.sluice.contracts.wire.EventWriter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;

/// The messages that follow from a fate.
final class Messages {

    /// Header of an example with its content hash, so that the memory of duplicates is rebuilt without reading JSON.
    static final String CONTENT_HEADER = "contentsha256";
    static final String SOURCE = "/sluice/ingest";

    /// W3C trace context: the example belongs to its record's trace.
    private static final List<String> TRACE_HEADERS = List.of("traceparent", "tracestate");
    private static final JsonFactory JSON = new JsonFactory();
    private static final int MAX_REASON_CHARACTERS = 2_000;
    /// Values above this do not fit the dead-letter topic with their headers; only an operator who raised the limit of
    /// the records topic can send them.
    private static final int MAX_DEAD_LETTER_BYTES = Topic.RECORDS_DLQ.maxMessageBytes() - (256 << 10);

    private final Topics topics;

    Messages(Topics topics) {
        this.topics = topics;
    }

    /// [dev.sluice.contracts.dataset.Example], written around the bytes of its normal form.
    ProducerRecord<String, byte[]> example(ConsumerRecord<byte[], byte[]> record, Fate.Accepted accepted) {
        var bytes = new ByteArrayOutputStream(accepted.json().length + 256);
        try (JsonGenerator json = JSON.createGenerator(bytes)) {
            json.writeStartObject();
            json.writeStringField("record_id", accepted.recordId());
            json.writeStringField("dataset_id", accepted.datasetId());
            json.writeStringField("content_sha256", accepted.contentSha256());
            json.writeFieldName("example");
            json.writeRawValue(new String(accepted.json(), StandardCharsets.UTF_8));
            json.writeEndObject();
        } catch (IOException e) {
            throw new IllegalStateException("writing to memory cannot fail", e);
        }
        var message = new ProducerRecord<>(topics.name(Topic.EXAMPLES), accepted.datasetId(), bytes.toByteArray());
        CloudEvent.of(SOURCE, EventWriter.type(Topic.EXAMPLES), accepted.recordId()).on(message);
        CloudEvent.put(message.headers(), CONTENT_HEADER, accepted.contentSha256());
        for (String name : TRACE_HEADERS) {
            Header trace = record.headers().lastHeader(name);
            if (trace != null) {
                message.headers().add(trace);
            }
        }
        return message;
    }

    /// The record as it came, with headers that say why it is here.
    ProducerRecord<String, byte[]> deadLetter(ConsumerRecord<byte[], byte[]> record, Fate.Refused refused, boolean samePartitions) {
        String key = record.key() == null ? null : Judge.text(record.key());
        boolean fits = record.serializedValueSize() <= MAX_DEAD_LETTER_BYTES;
        var message = new ProducerRecord<>(topics.name(Topic.RECORDS_DLQ), samePartitions ? record.partition() : null, key,
                fits ? record.value() : null);
        for (Header header : record.headers()) {
            message.headers().add(header);
        }
        if (key == null && record.key() != null) {
            message.headers().add("dlq-key", record.key());
        }
        put(message, "dlq-code", refused.code());
        put(message, "dlq-stage", refused.stage().header());
        put(message, "dlq-service", "ingest");
        put(message, "dlq-time", Instant.now().toString());
        put(message, "dead-letter-reason", shorten(refused.reason()) + (fits ? "" : " The value of " + record.serializedValueSize() + " bytes was left out."));
        put(message, "dead-letter-topic", record.topic());
        put(message, "dead-letter-partition", Integer.toString(record.partition()));
        put(message, "dead-letter-offset", Long.toString(record.offset()));
        return message;
    }

    private static void put(ProducerRecord<String, byte[]> message, String name, String value) {
        CloudEvent.put(message.headers(), name, value);
    }

    private static String shorten(String reason) {
        return reason.length() <= MAX_REASON_CHARACTERS ? reason : reason.substring(0, MAX_REASON_CHARACTERS) + "…";
    }
}
