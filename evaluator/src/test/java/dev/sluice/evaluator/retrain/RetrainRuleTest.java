package dev.sluice.evaluator.retrain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.contracts.evaluation.Decision;
import dev.sluice.contracts.evaluation.Promotion;
import dev.sluice.contracts.job.DatasetRef;
import dev.sluice.contracts.job.Evaluation;
import dev.sluice.contracts.job.JobSpec;
import dev.sluice.contracts.job.ModelRef;
import dev.sluice.contracts.job.TriggerKind;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class RetrainRuleTest {

    private static final Instant NOW = Instant.parse("2026-03-01T12:00:00Z");
    private static final JobSpec CHAMPION_JOB = new JobSpec("job-1", new ModelRef(URI.create("file:/models/a"), null), new DatasetRef("calls", 3L),
            null, null, null, "cpu", null, null, null, new Evaluation("support", null, null, 2), false, "ada", null, null);

    private final RetrainRule rule = new RetrainRule(1000, Duration.ofHours(6));

    @Test
    void oneExampleShortIsNotDue() {
        waits(rule.apply(situation(1999, null, null, Set.of()), NOW), "999 of 1000 new examples");
    }

    @Test
    void enoughExamplesMakeAJobLikeTheChampions() {
        JobSpec job = due(rule.apply(situation(2000, null, null, Set.of()), NOW));
        assertEquals(DatasetRef.latest("calls"), job.dataset());
        assertEquals(CHAMPION_JOB.model(), job.model());
        assertEquals(CHAMPION_JOB.lora(), job.lora());
        assertEquals(CHAMPION_JOB.training(), job.training());
        assertEquals(CHAMPION_JOB.evaluation(), job.evaluation());
        assertEquals("cpu", job.backend());
        assertEquals(TriggerKind.RETRAIN, job.trigger().kind());
        assertTrue(job.trigger().cause().startsWith("1000 examples accepted into dataset calls since version 3"), job.trigger().cause());
        assertEquals(job.jobId(), job.nonce());
    }

    @Test
    void eachStepHasOneJobId() {
        JobSpec first = due(rule.apply(situation(2000, null, null, Set.of()), NOW));
        assertEquals(first.jobId(), due(rule.apply(situation(2999, null, null, Set.of()), NOW)).jobId());
        assertNotEquals(first.jobId(), due(rule.apply(situation(3000, null, null, Set.of()), NOW)).jobId());
        assertNotEquals(first.idempotencyKey(), due(rule.apply(situation(3000, null, null, Set.of()), NOW)).idempotencyKey());
    }

    @Test
    void sameStepIsAskedForOnce() {
        String id = due(rule.apply(situation(2000, null, null, Set.of()), NOW)).jobId();
        waits(rule.apply(situation(2500, null, null, Set.of(id)), NOW), "job " + id + " was asked for already");
        due(rule.apply(situation(3000, null, null, Set.of(id)), NOW));
    }

    @Test
    void jobUnderWayHoldsTheNextBack() {
        waits(rule.apply(situation(9000, "job-7", null, Set.of()), NOW), "job job-7 for this alias is under way");
    }

    @Test
    void coolDownEndsOnTheDot() {
        Instant last = NOW.minus(Duration.ofHours(6));
        due(rule.apply(situation(9000, null, last, Set.of()), NOW));
        waits(rule.apply(situation(9000, null, last.plusMillis(1), Set.of()), NOW), "cooling down until 2026-03-01T12:00:00.001Z");
    }

    @Test
    void zeroSwitchesItOff() {
        assertInstanceOf(RetrainVerdict.Wait.class, new RetrainRule(0, Duration.ZERO).apply(situation(1_000_000, null, null, Set.of()), NOW));
    }

    @Test
    void negativeSettingsAreRefusedByName() {
        assertTrue(assertThrows(IllegalArgumentException.class, () -> new RetrainRule(-1, Duration.ZERO)).getMessage().contains("sluice.retrain.new-examples"));
    }

    private static Situation situation(long acceptedNow, String inFlight, Instant lastRetrain, Set<String> submitted) {
        var champion = new Promotion("support", 4, Decision.PROMOTE, "a1", "a1", "job-1", "calls", 3L, null, List.of(), "policy", NOW);
        return new Situation(champion, CHAMPION_JOB, 1000, acceptedNow, inFlight, lastRetrain, submitted);
    }

    private static JobSpec due(RetrainVerdict verdict) {
        return assertInstanceOf(RetrainVerdict.Due.class, verdict).job();
    }

    private static void waits(RetrainVerdict verdict, String reason) {
        assertEquals(new RetrainVerdict.Wait(reason), verdict);
    }
}
