package dev.sluice.contracts.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.introspect.BeanPropertyDefinition;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.networknt.schema.InputFormat;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.dataset.DatasetEvent;
import dev.sluice.contracts.dataset.DatasetLedger;
import dev.sluice.contracts.dataset.DatasetVersion;
import dev.sluice.contracts.dataset.Example;
import dev.sluice.contracts.dataset.PreparedDataset;
import dev.sluice.contracts.evaluation.Promotion;
import dev.sluice.contracts.evaluation.Score;
import dev.sluice.contracts.evaluation.ScoreEvent;
import dev.sluice.contracts.evaluation.Unscored;
import dev.sluice.contracts.evaluation.Waiting;
import dev.sluice.contracts.job.Control;
import dev.sluice.contracts.job.JobSpec;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.job.Progress;
import dev.sluice.contracts.wire.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Messages as they were published once must be read for ever. Add files, never change one.
class GoldenMessagesTest {

    private static final Path GOLDEN = Path.of("src/test/resources/golden");
    private static final Path SCHEMAS = Path.of("src/main/resources/schemas");
    private static final SchemaRegistry REGISTRY = SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12);
    private static final Map<String, Class<?>> TYPES = Map.ofEntries(Map.entry("adapter", AdapterPublished.class), Map.entry("control", Control.class),
            Map.entry("dataset-ledger", DatasetLedger.class), Map.entry("dataset-version", DatasetVersion.class),
            Map.entry("example", Example.class), Map.entry("job-spec", JobSpec.class), Map.entry("job-state", JobState.class),
            Map.entry("prepared-dataset", PreparedDataset.class), Map.entry("progress", Progress.class), Map.entry("promotion", Promotion.class),
            Map.entry("score", Score.class), Map.entry("unscored", Unscored.class), Map.entry("waiting", Waiting.class));

    static Stream<Path> goldenMessages() throws IOException {
        try (Stream<Path> files = Files.list(GOLDEN)) {
            return files.sorted().toList().stream();
        }
    }

    @ParameterizedTest
    @MethodSource("goldenMessages")
    void isReadAndWrittenBackEqual(Path golden) throws IOException {
        JsonNode json = Json.readTree(Files.readAllBytes(golden));
        assertEquals(json, Json.readTree(Json.write(Json.mapper().treeToValue(json, type(golden)))));
    }

    @ParameterizedTest
    @MethodSource("goldenMessages")
    void anUnknownFieldChangesNothing(Path golden) throws IOException {
        ObjectNode json = (ObjectNode) Json.readTree(Files.readAllBytes(golden));
        Object expected = Json.mapper().treeToValue(json, type(golden));
        assertEquals(expected, Json.mapper().treeToValue(json.deepCopy().put("of_a_later_version", true), type(golden)));
    }

    @ParameterizedTest
    @MethodSource("goldenMessages")
    void fitsItsSchema(Path golden) throws IOException {
        assertEquals(List.of(), schema(golden).validate(Files.readString(golden), InputFormat.JSON));
    }

    @ParameterizedTest
    @MethodSource("goldenMessages")
    void theSchemaRefusesItWithoutARequiredField(Path golden) throws IOException {
        ObjectNode json = (ObjectNode) Json.readTree(Files.readAllBytes(golden));
        JsonNode required = Json.readTree(Files.readAllBytes(schemaFile(golden))).get("required");
        assertFalse(required.isEmpty());
        for (JsonNode field : required) {
            String without = json.deepCopy().without(field.asText()).toString();
            assertFalse(schema(golden).validate(without, InputFormat.JSON).isEmpty(), field.asText());
        }
    }

    @ParameterizedTest
    @MethodSource("goldenMessages")
    void schemaAndRecordHaveTheSameFields(Path golden) throws IOException {
        var config = Json.mapper().getSerializationConfig();
        Class<?> type = TYPES.get(name(golden));
        Set<String> fields = config.introspect(config.constructType(type)).findProperties().stream()
                .map(BeanPropertyDefinition::getName).collect(Collectors.toCollection(TreeSet::new));
        if (DatasetEvent.class.isAssignableFrom(type) || type == Unscored.class || type == Waiting.class) {
            fields.add("kind");
        }
        Set<String> described = new TreeSet<>();
        Json.readTree(Files.readAllBytes(schemaFile(golden))).get("properties").fieldNames().forEachRemaining(described::add);
        assertEquals(fields, described);
    }

    /// Read the way its readers read it: datasets and scores through their common types.
    private static Class<?> type(Path golden) {
        Class<?> type = TYPES.get(name(golden));
        assertTrue(type != null, "no type for " + golden);
        return Stream.<Class<?>>of(DatasetEvent.class, ScoreEvent.class).filter(event -> event.isAssignableFrom(type)).findFirst().orElse(type);
    }

    private static Schema schema(Path golden) throws IOException {
        return REGISTRY.getSchema(Files.readString(schemaFile(golden)), InputFormat.JSON);
    }

    private static Path schemaFile(Path golden) {
        return SCHEMAS.resolve(name(golden) + ".schema.json");
    }

    private static String name(Path golden) {
        return golden.getFileName().toString().replaceFirst("(-\\d+)?\\.json$", "");
    }
}
