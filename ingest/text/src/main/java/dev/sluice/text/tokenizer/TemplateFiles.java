package dev.sluice.text.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/// Finds a model's chat templates, by name; the one that applies unless another is asked for is called `default`.
///
/// Looked for as transformers does: `chat_template.jinja` (and `additional_chat_templates/NAME.jinja` are not used by
/// text models), else `chat_template.json`, else `chat_template` in `tokenizer_config.json`, which is text or a list
/// of named ones.
final class TemplateFiles {

    static final String DEFAULT = "default";

    private TemplateFiles() {}

    static Map<String, String> read(ModelFolder folder) {
        if (folder.has("chat_template.jinja")) {
            return Map.of(DEFAULT, folder.text("chat_template.jinja"));
        }
        JsonNode own = folder.json("chat_template.json").path("chat_template");
        return own.isMissingNode() ? named(folder.json("tokenizer_config.json").path("chat_template")) : named(own);
    }

    private static Map<String, String> named(JsonNode template) {
        var templates = new LinkedHashMap<String, String>();
        if (template.isTextual()) {
            templates.put(DEFAULT, template.textValue());
        }
        for (JsonNode entry : template.isArray() ? template : Collections.<JsonNode>emptyList()) {
            templates.put(entry.path("name").asText(), entry.path("template").asText());
        }
        for (var entry : template.properties()) {
            templates.put(entry.getKey(), entry.getValue().asText());
        }
        return Collections.unmodifiableMap(templates);
    }
}
