package dev.sluice.trainer.ownership;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import dev.sluice.contracts.job.JobCode;
import dev.sluice.contracts.job.JobState;
import dev.sluice.trainer.fixture.States;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class ClaimRuleTest {

    private static final Duration LEASE = Duration.ofSeconds(15);

    @Test
    void queuedJobIsTakenAsItsFirstAttempt() {
        assertEquals(new Verdict.Take(1, 1), ClaimRule.decide(States.queued("j"), false));
    }

    @Test
    void silentOwnersJobIsTakenAsAnotherAttempt() {
        assertEquals(new Verdict.Take(2, 2), ClaimRule.decide(running(States.queued("j")), false));
    }

    @Test
    void freshLeaseOfAFencedOwnerIsTakenOver() {
        JobState fresh = running(States.queued("j"));
        assertInstanceOf(Verdict.Take.class, ClaimRule.decide(fresh, false));
    }

    @Test
    void preemptedJobGoesOnWithItsAttempt() {
        JobState queued = Transitions.preempted(running(States.queued("j")), "shutdown", States.NOW).getLast();
        assertEquals(new Verdict.Take(1, 2), ClaimRule.decide(queued, false));
    }

    @Test
    void troubledJobGetsANewAttemptUntilTheyAreUsedUp() {
        JobState job = States.queued("j");
        for (int attempt = 1; attempt <= 3; attempt++) {
            assertEquals(new Verdict.Take(attempt, attempt), ClaimRule.decide(job, false));
            job = Transitions.lost(running(job), JobCode.STORAGE_UNAVAILABLE, "store away", States.NOW).getLast();
        }
        Verdict.End end = assertInstanceOf(Verdict.End.class, ClaimRule.decide(job, false));
        assertEquals(JobCode.ATTEMPTS_EXHAUSTED, end.code());
    }

    @Test
    void cancelledJobIsEndedNotTaken() {
        Verdict.End end = assertInstanceOf(Verdict.End.class, ClaimRule.decide(States.queued("j"), true));
        assertEquals(JobCode.CANCELLED, end.code());
    }

    @Test
    void endedJobIsLeftAlone() {
        JobState failed = Transitions.failed(running(States.queued("j")), JobCode.NAN_LOSS, "nan", States.NOW).getLast();
        assertInstanceOf(Verdict.Leave.class, ClaimRule.decide(failed, true));
    }

    private static JobState running(JobState job) {
        var take = (Verdict.Take) ClaimRule.decide(job, false);
        return Transitions.claimed(job, take, "t", LEASE, States.NOW).getLast();
    }
}
