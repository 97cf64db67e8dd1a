package dev.sluice.helm;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// `values.yaml` with its `# --` comments, which helm-docs turns into a table.
record DocumentedValues(JsonNode defaults, Map<String, String> descriptions) {

    private static final Pattern COMMENT = Pattern.compile(" *# -- (?<text>.+)");
    private static final Pattern KEY = Pattern.compile("(?<indent> *)(?<key>[A-Za-z]+):.*");

    private record Parent(int indent, String key) {}

    static DocumentedValues read(Path file) {
        var descriptions = new LinkedHashMap<String, String>();
        Deque<Parent> path = new ArrayDeque<>();
        String comment = null;
        for (String line : lines(file)) {
            Matcher key = KEY.matcher(line);
            if (key.matches()) {
                int indent = key.group("indent").length();
                while (!path.isEmpty() && path.getLast().indent() >= indent) {
                    path.removeLast();
                }
                path.addLast(new Parent(indent, key.group("key")));
                if (comment != null) {
                    descriptions.put(String.join(".", path.stream().map(Parent::key).toList()), comment);
                }
            }
            Matcher found = COMMENT.matcher(line);
            comment = found.matches() ? found.group("text") : null;
        }
        return new DocumentedValues(Values.read(file), Collections.unmodifiableMap(descriptions));
    }

    /// One row for each described value: key, default, description.
    List<String> rows() {
        return descriptions.entrySet().stream()
                .map(entry -> "| `%s` | `%s` | %s |".formatted(entry.getKey(), at(entry.getKey()), entry.getValue()))
                .toList();
    }

    /// Values that neither carry a comment nor lie below a value that does.
    List<String> undocumented() {
        var missing = new ArrayList<String>();
        collect("", defaults, missing);
        return missing;
    }

    private void collect(String path, JsonNode node, List<String> missing) {
        if (descriptions.containsKey(path)) {
            return;
        }
        if (node.isObject() && !node.isEmpty()) {
            node.properties().forEach(child ->
                    collect(path.isEmpty() ? child.getKey() : path + "." + child.getKey(), child.getValue(), missing));
        } else {
            missing.add(path);
        }
    }

    private JsonNode at(String path) {
        return defaults.at("/" + path.replace('.', '/'));
    }

    static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
