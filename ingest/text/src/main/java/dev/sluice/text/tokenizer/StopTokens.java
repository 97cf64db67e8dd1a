package dev.sluice.text.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Collections;
import java.util.OptionalInt;
import java.util.SortedSet;
import java.util.TreeSet;

/// Token ids after which generation ends: `eos_token_id` of `generation_config.json` (one or several), else of
/// `config.json`, and the tokenizer's own end-of-text token.
public record StopTokens(SortedSet<Integer> ids) {

    static StopTokens read(ModelFolder folder, OptionalInt eos) {
        var ids = new TreeSet<Integer>();
        eos.ifPresent(ids::add);
        JsonNode generation = folder.json("generation_config.json").path("eos_token_id");
        addAll(ids, generation.isNumber() || generation.isArray() ? generation : folder.json("config.json").path("eos_token_id"));
        return new StopTokens(Collections.unmodifiableSortedSet(ids));
    }

    private static void addAll(SortedSet<Integer> ids, JsonNode value) {
        if (value.isInt()) {
            ids.add(value.intValue());
        }
        value.elements().forEachRemaining(id -> addAll(ids, id));
    }

    /// Whether generation ends with this token.
    public boolean contains(int id) {
        return ids.contains(id);
    }
}
