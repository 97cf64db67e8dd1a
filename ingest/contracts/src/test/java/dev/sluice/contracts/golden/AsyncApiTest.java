package dev.sluice.contracts.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class AsyncApiTest {

    private static final Path RESOURCES = Path.of("src/main/resources");

    private final JsonNode document = read();

    @Test
    void channelsAndKeysAreThoseOfTheCode() {
        Map<String, String> expected = Arrays.stream(Topic.values()).collect(Collectors.toMap(Topics.standard()::name, Topic::keyRule));
        Map<String, String> found = new HashMap<>();
        for (JsonNode channel : document.get("channels")) {
            channel.get("messages").forEach(message -> found.put(channel.get("address").asText(),
                    message(message).at("/bindings/kafka/key/description").asText()));
        }
        assertEquals(expected, found);
    }

    @Test
    void everyPayloadHasItsSchema() {
        for (JsonNode message : document.at("/components/messages")) {
            if (message.has("payload")) {
                Path schema = RESOURCES.resolve(message.at("/payload/$ref").asText());
                assertTrue(Files.exists(schema), schema + " is missing");
            }
        }
    }

    private JsonNode message(JsonNode reference) {
        return document.at(reference.get("$ref").asText().substring(1));
    }

    private static JsonNode read() {
        try {
            return new YAMLMapper().readTree(RESOURCES.resolve("asyncapi.yaml").toFile());
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
