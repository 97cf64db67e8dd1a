package dev.sluice.text.template;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// Small templates of our own, one a feature of the language, against what transformers 5.18 renders from them.
class ExpressionsTest {

    private static final ObjectMapper JSON = new ObjectMapper();

    @TestFactory
    Stream<DynamicTest> rendersWhatTransformersRenders() throws IOException {
        try (var file = ExpressionsTest.class.getResourceAsStream("expressions.json")) {
            JsonNode root = JSON.readTree(file);
            Map<String, Object> context = JSON.convertValue(root.get("context"), new TypeReference<>() {});
            return StreamSupport.stream(root.get("cases").spliterator(), false)
                    .map(one -> DynamicTest.dynamicTest(one.get("source").asText(), () -> check(one, context)));
        }
    }

    private static void check(JsonNode one, Map<String, Object> context) {
        String source = one.get("source").asText();
        if (one.has("error")) {
            var error = assertThrows(TemplateException.class, () -> ChatTemplate.compile(source).render(context));
            if (error.kind() == TemplateException.Kind.EVALUATION || error.kind() == TemplateException.Kind.RAISED) {
                assertEquals(one.get("error").asText().replaceFirst("^\\w+: ", ""), error.problem());
            }
            return;
        }
        Rendering rendering = ChatTemplate.compile(source).render(context);
        assertEquals(one.get("expected").asText(), rendering.text());
        assertEquals(one.get("spans"), JSON.valueToTree(rendering.assistantSpans().stream()
                .map(span -> new int[] {span.start(), span.end()}).toList()));
    }
}
