package dev.sluice.helm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class DocumentationTest {

    private static final Path VALUES = SluiceChart.FOLDER.resolve("values.yaml");

    @Test
    void everyValueIsDescribed() {
        assertEquals(List.of(), DocumentedValues.read(VALUES).undocumented());
    }

    @Test
    void readmeListsEveryValueWithItsDefault() {
        List<String> rows = DocumentedValues.lines(SluiceChart.FOLDER.resolve("README.md")).stream()
                .filter(line -> line.startsWith("| `"))
                .toList();
        assertEquals(
                String.join("\n", DocumentedValues.read(VALUES).rows()),
                String.join("\n", rows),
                "the table of README.md must be this");
    }

    @Test
    void schemaAndValuesHoldTheSameKeys() {
        JsonNode schema = Values.read(SluiceChart.FOLDER.resolve("values.schema.json"));
        var keys = new TreeSet<String>();
        collect("", schema, schema, Values.read(VALUES), keys);
        // A parent chart's condition; Helm passes it down.
        assertEquals(Set.of("enabled"), keys);
    }

    @Test
    void appVersionIsTheVersionOfTheImages() {
        String version = Values.read(SluiceChart.FOLDER.resolve("Chart.yaml")).get("appVersion").asText();
        String parent = String.join("\n", DocumentedValues.lines(Path.of("pom.xml")));
        assertTrue(parent.contains("<version>" + version + "</version>"), version);
    }

    /// Collects the keys of closed objects in the schema that the values lack.
    private static void collect(String path, JsonNode root, JsonNode schema, JsonNode values, Set<String> missing) {
        JsonNode target = schema.has("$ref") ? root.at(schema.get("$ref").asText().substring(1)) : schema;
        if (target.path("additionalProperties").isBoolean()) {
            target.path("properties").properties().forEach(property -> {
                String key = path.isEmpty() ? property.getKey() : path + "." + property.getKey();
                if (values.has(property.getKey())) {
                    collect(key, root, property.getValue(), values.get(property.getKey()), missing);
                } else {
                    missing.add(key);
                }
            });
        }
    }
}
