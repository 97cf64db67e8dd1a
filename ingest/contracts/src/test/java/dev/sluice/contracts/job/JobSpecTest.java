package dev.sluice.contracts.job;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.JsonNode;
import dev.sluice.contracts.wire.FieldError;
import dev.sluice.contracts.wire.InvalidFieldsException;
import dev.sluice.contracts.wire.Json;
import dev.sluice.contracts.wire.StrictReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class JobSpecTest {

    private static final String SMALLEST = """
            {"job_id": "j1", "model": {"uri": "file:/models/tiny"}, "dataset": {"id": "support"}}""";

    @Test
    void absentFieldsTakeTheStatedDefaults() throws IOException {
        JobSpec spec = spec(SMALLEST);
        assertEquals(16, spec.lora().rank());
        assertEquals(32.0, spec.lora().alpha());
        assertEquals(List.of("q_proj", "k_proj", "v_proj", "o_proj"), spec.lora().targetModules());
        assertEquals(1.0, spec.training().epochs());
        assertEquals(0.1, spec.heldout().fraction());
        assertEquals(2, spec.checkpoint().keep());
        assertEquals("auto", spec.backend());
        assertEquals(Trigger.MANUAL, spec.trigger());
    }

    @Test
    void namesAreThoseOfTrlAndPeft() {
        JsonNode json = Json.mapper().valueToTree(assertParses(SMALLEST));
        assertEquals(Set.of("r", "lora_alpha", "use_rslora", "target_modules", "target_parameters", "rank_pattern", "alpha_pattern",
                "lora_dropout"), names(json.get("lora")));
        assertEquals(Set.of("max_length", "per_device_train_batch_size", "gradient_accumulation_steps", "num_train_epochs", "learning_rate",
                "lr_scheduler_type", "warmup_ratio", "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm", "seed",
                "packing", "shuffle", "precision"), names(json.get("training")));
    }

    @Test
    void quantizedModelStaysSoWithItsHash() {
        ModelRef model = assertParses(SMALLEST.replace("tiny\"", "tiny\", \"quantize\": \"nf4\"")).model();
        assertEquals(Quantize.NF4, model.pinned("0".repeat(64)).quantize());
        assertEquals("nf4", Json.mapper().valueToTree(model).get("quantize").asText());
        assertEquals(assertParses(SMALLEST), assertParses(SMALLEST.replace("tiny\"", "tiny\", \"quantize\": \"none\"")));
    }

    /// A run whose format the model decides is another than one whose format was chosen.
    @Test
    void formatThatNobodyChoseStaysOpen() {
        JobSpec open = assertParses(SMALLEST).pinned(3, null);
        assertNull(open.adapterFormat());
        assertFalse(Json.mapper().valueToTree(open).has("adapter_format"));
        for (String format : List.of("per-expert", "peft-3d")) {
            JobSpec chosen = assertParses(SMALLEST.replace("\"j1\"", "\"j1\", \"adapter_format\": \"" + format + "\"")).pinned(3, null);
            assertNotEquals(open.idempotencyKey(), chosen.idempotencyKey());
        }
    }

    @Test
    void everyWrongFieldIsNamedAtOnce() throws IOException {
        JsonNode json = Json.readTree("""
                {"job_id": "j1", "model": {"uri": "models/tiny"}, "dataset": {"id": "../etc"}, "backend": "tpu",
                 "lora": {"r": 0, "lora_dropout": 0.1}, "training": {"learing_rate": 1e-3}}""".getBytes(StandardCharsets.UTF_8));
        var refused = assertThrows(InvalidFieldsException.class, () -> StrictReader.read(json, JobSpec.class));
        assertEquals(Set.of("model.uri", "dataset.id", "lora.r", "lora.lora_alpha", "lora.lora_dropout", "training.learing_rate"),
                refused.errors().stream().map(FieldError::field).collect(Collectors.toSet()));
    }

    @Test
    void unknownEnumValueNamesTheKnownOnes() throws IOException {
        JsonNode json = Json.readTree("""
                {"job_id": "j1", "model": {"uri": "file:/m"}, "dataset": {"id": "d"}, "training": {"lr_scheduler_type": "step"}}"""
                .getBytes(StandardCharsets.UTF_8));
        var refused = assertThrows(InvalidFieldsException.class, () -> StrictReader.read(json, JobSpec.class));
        assertEquals("training.lr_scheduler_type must be one of constant, linear, cosine, was 'step'", refused.getMessage());
    }

    @Test
    void sameWorkHasTheSameKeyWhoeverAsks() {
        JobSpec one = assertParses(SMALLEST);
        JobSpec other = assertParses(SMALLEST.replace("\"j1\"", "\"j2\", \"requested_by\": \"ann\", \"backend\": \"auto\""));
        assertEquals(one.pinned(3, null).idempotencyKey(), other.pinned(3, null).idempotencyKey());
    }

    @Test
    void newDataOrANonceMakesAnotherKey() {
        JobSpec one = assertParses(SMALLEST);
        assertNotEquals(one.pinned(3, null).idempotencyKey(), one.pinned(4, null).idempotencyKey());
        assertNotEquals(one.pinned(3, null).idempotencyKey(),
                assertParses(SMALLEST.replace("\"j1\"", "\"j1\", \"nonce\": \"again\"")).pinned(3, null).idempotencyKey());
    }

    @Test
    void stepsFollowFromEpochsRowsAndAccumulation() {
        Training training = assertParses("""
                {"job_id": "j1", "model": {"uri": "file:/m"}, "dataset": {"id": "d"},
                 "training": {"num_train_epochs": 2, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}}""").training();
        assertEquals(6, training.totalSteps(17)); // 9 micro-batches an epoch, the third step is short
    }

    private static JobSpec assertParses(String json) {
        try {
            return spec(json);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static JobSpec spec(String json) throws IOException {
        return StrictReader.read(Json.readTree(json.getBytes(StandardCharsets.UTF_8)), JobSpec.class);
    }

    private static Set<String> names(JsonNode node) {
        return node.properties().stream().map(java.util.Map.Entry::getKey).collect(Collectors.toSet());
    }
}
