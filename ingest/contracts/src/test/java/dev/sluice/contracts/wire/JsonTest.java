package dev.sluice.contracts.wire;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {

    @Test
    void canonicalTextDoesNotDependOnMemberOrder() throws IOException {
        assertEquals(Json.canonicalText(tree("{\"b\":[{\"y\":1,\"x\":2}],\"a\":null}")),
                Json.canonicalText(tree("{ \"a\": null, \"b\": [{\"x\": 2, \"y\": 1}] }")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"{\"a\":1,\"a\":2}", "{\"a\":NaN}", "{} {}", "{", ""})
    void dubiousJsonIsRefused(String json) {
        assertThrows(IOException.class, () -> Json.mapper().readValue(json, Object.class));
    }

    @Test
    void depthIsLimited() {
        byte[] deep = "[".repeat(100_000).getBytes(UTF_8);
        assertThrows(JsonProcessingException.class, () -> Json.readTree(deep));
    }

    private static Object tree(String json) throws IOException {
        return Json.readTree(json.getBytes(UTF_8));
    }
}
