package dev.sluice.text.template;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.abort;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// Templates of released models against what transformers renders from them. The templates are other people's and not
/// part of the project: the environment variable SLUICE_TEMPLATE_CASES names a file with `template`, `case`, `source`,
/// `context`, and `expected` with `assistant_spans`, or `error`.
class CorpusTest {

    private static final ObjectMapper JSON = new ObjectMapper();
    /// The day on which the expected texts were made; some templates print it.
    private static final Clock CLOCK = Clock.fixed(Instant.parse("2026-11-23T12:00:00Z"), ZoneOffset.UTC);

    @TestFactory
    Stream<DynamicTest> rendersWhatTransformersRenders() throws IOException {
        String file = System.getProperty("SLUICE_TEMPLATE_CASES", System.getenv("SLUICE_TEMPLATE_CASES"));
        if (file == null) {
            return abort("SLUICE_TEMPLATE_CASES names no file of templates");
        }
        return StreamSupport.stream(JSON.readTree(Path.of(file).toFile()).spliterator(), false)
                .map(one -> DynamicTest.dynamicTest(one.get("template").asText() + ", " + one.get("case").asText(), () -> check(one)));
    }

    private static void check(JsonNode one) {
        Map<String, Object> context = JSON.convertValue(one.get("context"), new TypeReference<>() {});
        if (one.path("error").isTextual()) {
            var error = assertThrows(TemplateException.class, () -> compile(one).render(context));
            assertEquals(one.get("error").asText().replaceFirst("^\\w+: ", ""), error.problem());
            return;
        }
        Rendering rendering = compile(one).render(context);
        assertEquals(one.get("expected").asText(), rendering.text());
        if (one.path("assistant_spans").isArray()) {
            assertEquals(one.get("assistant_spans"), spans(rendering));
        }
    }

    private static ChatTemplate compile(JsonNode one) {
        return ChatTemplate.compile(one.get("source").asText(), Budget.DEFAULT, CLOCK);
    }

    private static JsonNode spans(Rendering rendering) {
        return JSON.valueToTree(rendering.assistantSpans().stream()
                .map(span -> new int[] {span.start(), span.end()}).toList());
    }
}
