package dev.sluice.contracts.wire;

import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Optional;
import java.util.UUID;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;

/// The attributes of a CloudEvents 1.0 event in Kafka's binary content mode: one `ce_…` header each.
///
/// @param id unique within `source`; the same id means the same event
/// @param source who speaks, as a URI reference, for example `/sluice/trainer`
/// @param type what happened, for example `dev.sluice.job-state.v1`
/// @param subject what it is about, usually the message's key; may be null
/// @param time when it happened
public record CloudEvent(String id, String source, String type, String subject, Instant time) {

    private static final String JSON = "application/json";

    public CloudEvent {
        Check.text(id, "ce_id");
        Check.text(source, "ce_source");
        Check.text(type, "ce_type");
        Check.present(time, "ce_time");
    }

    /// A new event of `type` about `subject`, now.
    public static CloudEvent of(String source, String type, String subject) {
        return new CloudEvent(UUID.randomUUID().toString(), source, type, subject, Instant.now());
    }

    /// The attributes a message carries, or empty when it is no CloudEvent (they are welcome, not required, on input).
    public static Optional<CloudEvent> read(Headers headers) {
        try {
            String time = text(headers, "ce_time");
            return Optional.of(new CloudEvent(text(headers, "ce_id"), text(headers, "ce_source"), text(headers, "ce_type"),
                    text(headers, "ce_subject"), time == null ? Instant.EPOCH : Instant.parse(time)));
        } catch (IllegalArgumentException | DateTimeException _) {
            return Optional.empty();
        }
    }

    /// Adds the headers, with `content-type: application/json`.
    public void write(Headers headers) {
        write(headers, JSON);
    }

    public void write(Headers headers, String contentType) {
        put(headers, "ce_specversion", "1.0");
        put(headers, "ce_id", id);
        put(headers, "ce_source", source);
        put(headers, "ce_type", type);
        put(headers, "ce_time", time.toString());
        if (subject != null) {
            put(headers, "ce_subject", subject);
        }
        put(headers, "content-type", contentType);
    }

    /// Sets header `name`, replacing an earlier one.
    public static void put(Headers headers, String name, String value) {
        headers.remove(name);
        headers.add(name, value.getBytes(StandardCharsets.UTF_8));
    }

    /// The last header `name` as text, or null.
    public static String text(Headers headers, String name) {
        Header header = headers.lastHeader(name);
        return header == null || header.value() == null ? null : new String(header.value(), StandardCharsets.UTF_8);
    }

    /// Convenience for a message that is ready to be sent.
    public <K, V> ProducerRecord<K, V> on(ProducerRecord<K, V> message) {
        write(message.headers());
        return message;
    }
}
