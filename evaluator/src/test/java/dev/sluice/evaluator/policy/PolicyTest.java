package dev.sluice.evaluator.policy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.contracts.evaluation.Decision;
import dev.sluice.contracts.evaluation.Paired;
import dev.sluice.contracts.job.Evaluation;
import dev.sluice.evaluator.statistic.PairedBootstrap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PolicyTest {

    private final Policy policy = new Policy("nll_per_token", 30, 0.95, 10_000, 1234);

    @ParameterizedTest
    @CsvSource({
        "  30,  0.010,  0.200, PROMOTE,      policy=PASS sanity=PASS minimum_rows=PASS superiority=PASS",
        "5000,  1e-12,  0.200, PROMOTE,      policy=PASS sanity=PASS minimum_rows=PASS superiority=PASS",
        "  30,  0.000,  0.200, INCONCLUSIVE, policy=PASS sanity=PASS minimum_rows=PASS superiority=INCONCLUSIVE",
        "  30, -0.100,  0.200, INCONCLUSIVE, policy=PASS sanity=PASS minimum_rows=PASS superiority=INCONCLUSIVE",
        "  30,  0.000,  0.000, INCONCLUSIVE, policy=PASS sanity=PASS minimum_rows=PASS superiority=INCONCLUSIVE",
        "  30, -0.200, -0.001, REJECT,       policy=PASS sanity=PASS minimum_rows=PASS superiority=FAIL",
        "  29,  0.010,  0.200, INCONCLUSIVE, policy=PASS sanity=PASS minimum_rows=INCONCLUSIVE superiority=SKIPPED",
        "   1,  0.500,  0.500, INCONCLUSIVE, policy=PASS sanity=PASS minimum_rows=INCONCLUSIVE superiority=SKIPPED",
    })
    void intervalAndRowsDecide(long rows, double low, double high, Decision decision, String rules) {
        Judgement judgement = policy.judge(new Evidence.Compared(paired(rows, low, high), "the base model"));
        assertEquals(decision, judgement.decision());
        assertEquals(rules, text(judgement));
    }

    @Test
    void unscorableCandidateIsRejectedWithTheReason() {
        Judgement judgement = policy.judge(new Evidence.Unscorable("artifact x was damaged"));
        assertEquals(Decision.REJECT, judgement.decision());
        assertEquals("policy=PASS sanity=FAIL minimum_rows=SKIPPED superiority=SKIPPED", text(judgement));
        assertEquals("artifact x was damaged", judgement.rules().get(1).detail());
    }

    @Test
    void unscorableChampionLeavesItOpen() {
        assertEquals(Decision.INCONCLUSIVE, policy.judge(new Evidence.ChampionUnscorable(100, "its file is gone")).decision());
    }

    @Test
    void nothingHeldOutLeavesItOpen() {
        Judgement judgement = policy.judge(new Evidence.NothingHeldOut());
        assertEquals(Decision.INCONCLUSIVE, judgement.decision());
        assertEquals("policy=PASS sanity=PASS minimum_rows=INCONCLUSIVE superiority=SKIPPED", text(judgement));
    }

    @Test
    void everyDecisionNamesThePolicyByItsHash() {
        Judgement judgement = policy.judge(new Evidence.NothingHeldOut());
        assertTrue(judgement.rules().getFirst().detail().contains(policy.sha256()), judgement.toString());
        assertNotEquals(policy.sha256(), new Policy("nll_per_token", 31, 0.95, 10_000, 1234).sha256());
    }

    @Test
    void singleRowNeverSuffices() {
        assertEquals(2, Policy.of(new Evaluation("support", 1, null, null), new PairedBootstrap(10_000, 1234)).minimumRows());
    }

    private static Paired paired(long rows, double low, double high) {
        return new Paired("nll_per_token", 2, 2 - (low + high) / 2, (low + high) / 2, 0.05, low, high, 0.95, rows, PairedBootstrap.METHOD, 10_000, 1234);
    }

    private static String text(Judgement judgement) {
        return judgement.rules().stream().map(rule -> rule.rule() + "=" + rule.result()).collect(Collectors.joining(" "));
    }
}
