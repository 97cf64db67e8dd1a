package dev.sluice.text.record;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/// Brings the ways in which data sets write conversations into one: `role`, `content`, then every other field by name.
final class MessageNormaliser {

    private static final Set<String> ROLES = Set.of("system", "developer", "user", "assistant", "tool");
    private static final Map<String, String> SHARE_GPT_ROLES = Map.of(
            "human", "user", "user", "user", "gpt", "assistant", "assistant", "assistant", "chatgpt", "assistant",
            "model", "assistant", "system", "system", "tool", "tool", "observation", "tool", "function_response", "tool");

    private final JsonReader json;

    MessageNormaliser(JsonReader json) {
        this.json = json;
    }

    /// Messages with `role` and `content`.
    List<Map<String, Object>> chat(Fields record, String name) {
        var turns = new ArrayList<Map<String, Object>>();
        for (Object item : record.list(name)) {
            turns.add(chatTurn(Fields.of(name + "[" + turns.size() + "]", item)));
        }
        return Collections.unmodifiableList(turns);
    }

    /// Turns with `from` and `value`; files that write `role` and `content` under the same name are read too.
    List<Map<String, Object>> shareGpt(Fields record, String name) {
        var turns = new ArrayList<Map<String, Object>>();
        if (record.has("system")) {
            turns.add(turn("system", record.text("system")));
        }
        int index = 0;
        for (Object item : record.list(name)) {
            var fields = Fields.of(name + "[" + index++ + "]", item);
            turns.add(fields.has("from") ? shareGptTurn(fields) : chatTurn(fields));
        }
        return Collections.unmodifiableList(turns);
    }

    /// `instruction` and the optional `input` become the user's turn, `output` the assistant's.
    List<Map<String, Object>> alpaca(Fields record) {
        String input = record.textOrEmpty("input");
        String instruction = record.text("instruction");
        var turns = new ArrayList<Map<String, Object>>();
        if (record.has("system")) {
            turns.add(turn("system", record.text("system")));
        }
        turns.add(turn("user", input.isEmpty() ? instruction : instruction + "\n\n" + input));
        turns.add(turn("assistant", record.text("output")));
        return Collections.unmodifiableList(turns);
    }

    /// Function schemas: a list, or the same list written as JSON text (columnar files need one type a column).
    List<Object> tools(Fields record) {
        Object tools = record.get("tools");
        if (tools instanceof String text) {
            tools = text.isBlank() ? null : json.read(text);
        }
        return switch (tools) {
            case null -> List.of();
            case List<?> list -> Collections.unmodifiableList(new ArrayList<>(list));
            case Object other -> throw record.wrong("tools", other, "a list of function schemas, or such a list as JSON text");
        };
    }

    private static Map<String, Object> chatTurn(Fields fields) {
        if (!(fields.get("role") instanceof String role)) {
            throw fields.wrong("role", fields.get("role"), "text");
        }
        if (!ROLES.contains(role)) {
            throw unknownRole(fields, role, ROLES);
        }
        checkContent(fields);
        var turn = new LinkedHashMap<String, Object>();
        turn.put("role", role);
        var rest = new TreeMap<String, Object>();
        fields.values().forEach((name, value) -> rest.put((String) name, value));
        if (rest.containsKey("content")) {
            turn.put("content", rest.remove("content"));
        }
        rest.remove("role");
        turn.putAll(rest);
        return Collections.unmodifiableMap(turn);
    }

    private static void checkContent(Fields fields) {
        switch (fields.get("content")) {
            case String ignored -> { }
            case List<?> parts -> checkParts(fields, parts);
            case null -> {
                if (!fields.has("tool_calls") && !fields.has("reasoning_content") && !fields.has("thinking")) {
                    throw fields.wrong("content", null, "text or a list of parts (only a message with tool_calls or"
                            + " reasoning_content may leave it out)");
                }
            }
            case Object other -> throw fields.wrong("content", other, "text or a list of parts");
        }
    }

    private static void checkParts(Fields fields, List<?> parts) {
        for (Object part : parts) {
            if (!(part instanceof Map<?, ?> object && object.get("type") instanceof String)) {
                throw fields.wrong("content", part, "text or a list of objects that each have a 'type'");
            }
        }
    }

    private static Map<String, Object> shareGptTurn(Fields fields) {
        String from = fields.text("from");
        String role = SHARE_GPT_ROLES.get(from);
        if (role == null) {
            throw unknownRole(fields, from, SHARE_GPT_ROLES.keySet());
        }
        return turn(role, fields.textOrEmpty("value"));
    }

    private static Map<String, Object> turn(String role, String content) {
        var turn = new LinkedHashMap<String, Object>();
        turn.put("role", role);
        turn.put("content", content);
        return Collections.unmodifiableMap(turn);
    }

    private static RefusedException unknownRole(Fields fields, String role, Set<String> known) {
        return new RefusedException(Refusal.UNKNOWN_ROLE, fields.place() + " has the role '" + role
                + "', which is none of " + known.stream().sorted().toList() + ". Rename the role or leave the message out.");
    }
}
