package dev.sluice.contracts.job;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class JobPhaseTest {

    /// The table of the design, read by hand.
    @ParameterizedTest
    @CsvSource({
        "SUBMITTED, SUBMITTED QUEUED REJECTED CANCELLED",
        "QUEUED, QUEUED RUNNING FAILED CANCELLED",
        "RUNNING, RUNNING PUBLISHING PREEMPTED LOST FAILED CANCELLED",
        "PREEMPTED, QUEUED FAILED CANCELLED",
        "LOST, QUEUED FAILED CANCELLED",
        "PUBLISHING, PUBLISHING SUCCEEDED PREEMPTED LOST FAILED CANCELLED",
        "SUCCEEDED, ''",
        "REJECTED, ''",
        "FAILED, ''",
        "CANCELLED, ''",
    })
    void allowsExactlyTheseSuccessors(JobPhase from, String successors) {
        Set<JobPhase> expected = successors.isEmpty() ? EnumSet.noneOf(JobPhase.class)
                : Arrays.stream(successors.split(" ")).map(JobPhase::valueOf).collect(Collectors.toSet());
        assertEquals(expected, Arrays.stream(JobPhase.values()).filter(from::allows).collect(Collectors.toSet()));
    }

    @ParameterizedTest
    @EnumSource(JobPhase.class)
    void everyPhaseThatIsNotTerminalCanBeCancelled(JobPhase phase) {
        assertEquals(!phase.isTerminal(), phase.allows(JobPhase.CANCELLED));
    }

    @Test
    void fourPhasesAreTerminal() {
        assertEquals(EnumSet.of(JobPhase.SUCCEEDED, JobPhase.REJECTED, JobPhase.FAILED, JobPhase.CANCELLED),
                Arrays.stream(JobPhase.values()).filter(JobPhase::isTerminal).collect(Collectors.toSet()));
    }
}
