package dev.sluice.helm;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// Values as files and trees.
final class Values {

    private static final YAMLMapper YAML = new YAMLMapper();

    private Values() {}

    static Path file(String yaml) {
        try {
            Path file = Files.createTempFile("values", ".yaml");
            file.toFile().deleteOnExit();
            return Files.writeString(file, yaml);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static ObjectNode read(Path file) {
        try {
            return (ObjectNode) YAML.readTree(file.toFile());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static void write(Path file, JsonNode values) {
        try {
            YAML.writeValue(file.toFile(), values);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Helm's own rule: maps merge, everything else is replaced.
    static ObjectNode merge(ObjectNode base, ObjectNode over) {
        over.properties().forEach(entry -> {
            if (base.get(entry.getKey()) instanceof ObjectNode old && entry.getValue() instanceof ObjectNode fresh) {
                merge(old, fresh);
            } else {
                base.set(entry.getKey(), entry.getValue());
            }
        });
        return base;
    }
}
