package dev.sluice.trainer.ownership;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import dev.sluice.contracts.job.CheckpointRef;
import dev.sluice.contracts.job.JobCode;
import dev.sluice.contracts.job.JobPhase;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.store.ArtifactRef;
import dev.sluice.contracts.store.Manifest;
import dev.sluice.trainer.fixture.States;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TransitionsTest {

    private static final Duration LEASE = Duration.ofSeconds(15);
    private final JobState running = Transitions.claimed(States.queued("j"), new Verdict.Take(1, 1), "t", LEASE, States.NOW).getLast();

    @Test
    void takeoverShowsThatTheJobWasLost() {
        List<JobState> records = Transitions.claimed(running, new Verdict.Take(2, 2), "u", LEASE, States.NOW);
        assertEquals(List.of(JobPhase.LOST, JobPhase.QUEUED, JobPhase.RUNNING), phases(records));
        assertEquals(JobCode.LEASE_LOST, records.getFirst().code());
        assertNull(records.getLast().code());
    }

    @Test
    void takeoverWhilePublishingStartsFromRunning() {
        JobState publishing = Transitions.publishing(running, LEASE, States.NOW).getLast();
        assertEquals(JobPhase.RUNNING, Transitions.claimed(publishing, new Verdict.Take(2, 2), "u", LEASE, States.NOW).getLast().phase());
    }

    @Test
    void newestCheckpointsAreKeptAndWritingOneTwiceChangesNothing() {
        JobState job = running;
        for (int step : new int[] {10, 20, 30, 30}) {
            job = Transitions.checkpointed(job, checkpoint(step), 2, LEASE, States.NOW).getLast();
        }
        assertEquals(List.of(checkpoint(30), checkpoint(20)), job.checkpoints());
        assertEquals(30, job.step());
    }

    @Test
    void checkpointsStayWithAJobThatGoesBackToTheQueue() {
        JobState saved = Transitions.checkpointed(running, checkpoint(10), 2, LEASE, States.NOW).getLast();
        List<JobState> records = Transitions.preempted(saved, "shutdown", States.NOW);
        assertEquals(List.of(JobPhase.PREEMPTED, JobPhase.QUEUED), phases(records));
        assertEquals(saved.checkpoints(), records.getLast().checkpoints());
        assertNull(records.getLast().owner());
    }

    @Test
    void troubleInTheLastAttemptFailsTheJobWithItsCause() {
        JobState third = Transitions.claimed(States.queued("j"), new Verdict.Take(3, 3), "t", LEASE, States.NOW).getLast();
        JobState end = Transitions.again(third, JobCode.DISK_FULL, "full", States.NOW).getLast();
        assertEquals(JobPhase.FAILED, end.phase());
        assertEquals(JobCode.DISK_FULL, end.code());
    }

    @Test
    void reclaimKeepsTheAttemptAndRaisesTheToken() {
        JobState again = Transitions.reclaimed(running, LEASE, States.NOW).getLast();
        assertEquals(List.of(1L, 2L), List.of((long) again.attempt(), again.token()));
    }

    private static List<JobPhase> phases(List<JobState> records) {
        return records.stream().map(JobState::phase).toList();
    }

    private static CheckpointRef checkpoint(int step) {
        return new CheckpointRef(step, Manifest.of(Map.of("f", new ArtifactRef(URI.create("file:/s/" + step), "%064x".formatted(step), 1))));
    }
}
