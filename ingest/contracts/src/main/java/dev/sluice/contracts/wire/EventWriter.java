package dev.sluice.contracts.wire;

import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import org.apache.kafka.clients.producer.ProducerRecord;

/// Makes the messages of one service: key, JSON value, CloudEvents headers.
///
/// @param source the service as a URI reference, for example `/sluice/trainer`
public record EventWriter(Topics topics, String source) {

    /// A message with a JSON value. Its event type is `dev.sluice.` and the topic's name without the prefix.
    public ProducerRecord<String, byte[]> message(Topic topic, String key, Object value) {
        Check.text(key, "key");
        var message = new ProducerRecord<>(topics.name(topic), key, Json.write(value));
        return CloudEvent.of(source, type(topic), key).on(message);
    }

    public static String type(Topic topic) {
        return "dev.sluice." + topic.suffix();
    }
}
