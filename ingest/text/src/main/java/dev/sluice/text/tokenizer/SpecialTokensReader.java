package dev.sluice.text.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/// Collects special tokens from `special_tokens_map.json` and, winning over it, `tokenizer_config.json`. A token is
/// written as text or, by older versions, as an object with `content`.
final class SpecialTokensReader {

    private SpecialTokensReader() {}

    static SpecialTokens read(ModelFolder folder) {
        var tokens = new LinkedHashMap<String, String>();
        addAll(tokens, folder.json("special_tokens_map.json"));
        JsonNode config = folder.json("tokenizer_config.json");
        addAll(tokens, config);
        addAll(tokens, config.path("model_specific_special_tokens"));
        return new SpecialTokens(Collections.unmodifiableMap(tokens));
    }

    private static void addAll(Map<String, String> tokens, JsonNode names) {
        for (var field : names.properties()) {
            JsonNode token = field.getValue().isObject() ? field.getValue().path("content") : field.getValue();
            if (field.getKey().endsWith("_token") && token.isTextual()) {
                tokens.put(field.getKey(), token.textValue());
            }
        }
    }
}
