package dev.sluice.trainer.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.BackendDecision;
import dev.sluice.compute.BackendDecision.Candidate;
import dev.sluice.compute.BackendDecision.Check;
import dev.sluice.contracts.wire.Json;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/// Decisions are stored in checkpoints and with adapters.
class BackendDecisionTest {

    @Test
    void decisionWithEverythingInItIsReadBackAsWritten() throws Exception {
        var wrong = new Candidate("hopper", false, "computes wrong", List.of(new Check("linear", "y", Double.POSITIVE_INFINITY, 0.005)), null);
        var right = new Candidate("portable", true, "chosen", List.of(new Check("route", "picks", 0, 0)),
                new TreeMap<>(Map.of("attention", 1.25, "experts, even", 3.5)));
        var decision = new BackendDecision("auto", "portable", "a card", "portable 1234", "hidden 2048", List.of(wrong, right));
        assertEquals(decision, read(new String(Json.canonical(decision), StandardCharsets.UTF_8)));
    }

    @Test
    void decisionOfAnEarlierVersionIsRead() throws Exception {
        var decision = read("""
                {"requested":"auto","chosen":"cpu","description":"2 threads",
                "candidates":[{"name":"cpu","available":true,"reason":"chosen: 2 threads"}]}""");
        assertEquals("chosen: 2 threads", decision.choice().reason());
        assertTrue(decision.kernels().isEmpty() && decision.choice().checks().isEmpty() && decision.choice().milliseconds().isEmpty());
    }

    private static BackendDecision read(String json) throws Exception {
        return Json.mapper().readValue(json, BackendDecision.class);
    }
}
