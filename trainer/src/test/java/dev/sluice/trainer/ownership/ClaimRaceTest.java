package dev.sluice.trainer.ownership;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.contracts.job.JobPhase;
import dev.sluice.contracts.job.JobState;
import dev.sluice.trainer.fixture.States;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// Simulates trainers that race for one job, in every order that a seed draws: the broker is a log that takes records
/// only from the claimant that initialised last.
class ClaimRaceTest {

    private static final int SEEDS = 2_000;
    private static final Duration LEASE = Duration.ofSeconds(15);

    /// The broker's side of one transactional id.
    private static final class Log {
        private final List<JobState> records = new ArrayList<>(List.of(States.queued("j")));
        private int fence;

        boolean commit(int epoch, List<JobState> states) {
            return epoch == fence && records.addAll(states);
        }
    }

    /// One trainer, one step at a time: initialise, read, claim, then finish after some renewals.
    private static final class Claimant {
        private final Log log;
        private final String name;
        private int epoch;
        private int stage;
        private JobState mine;
        private boolean believesItPublished;

        Claimant(Log log, int number) {
            this.log = log;
            this.name = "t" + number;
        }

        boolean isDone() {
            return stage > 3;
        }

        void step(Random random) {
            switch (stage) {
                case 0 -> {
                    epoch = ++log.fence;
                    stage = 1;
                }
                case 1 -> {
                    mine = log.records.getLast();
                    stage = ClaimRule.decide(mine, false) instanceof Verdict.Take ? 2 : 4;
                }
                case 2 -> {
                    var take = (Verdict.Take) ClaimRule.decide(mine, false);
                    advance(Transitions.claimed(mine, take, name, LEASE, States.NOW), 3);
                }
                default -> {
                    boolean last = random.nextInt(4) == 0;
                    advance(last ? List.of(Transitions.publishing(mine, LEASE, States.NOW).getFirst(),
                            Transitions.succeeded(Transitions.publishing(mine, LEASE, States.NOW).getFirst(), name, States.NOW).getFirst())
                            : Transitions.renewed(mine, mine.step() + 1, 10, LEASE, States.NOW), last ? 5 : 3);
                    believesItPublished = stage == 5;
                }
            }
        }

        private void advance(List<JobState> states, int next) {
            boolean accepted = log.commit(epoch, states);
            mine = states.getLast();
            stage = accepted ? next : 4;
        }
    }

    @Test
    void whateverTheOrderOneTrainerPublishesAndTokensGrow() {
        int fenced = 0;
        for (int seed = 0; seed < SEEDS; seed++) {
            var random = new Random(seed);
            var log = new Log();
            List<Claimant> all = IntStream.range(0, 2 + random.nextInt(3)).mapToObj(i -> new Claimant(log, i)).toList();
            List<Claimant> active = new ArrayList<>(all);
            while (!active.isEmpty()) {
                active.get(random.nextInt(active.size())).step(random);
                active.removeIf(Claimant::isDone);
            }
            assertRight(log, all, seed);
            fenced += (int) all.stream().filter(claimant -> claimant.stage == 4).count();
        }
        System.out.printf("claim races: %d orders, double winners 0, fenced or too late %d%n", SEEDS, fenced);
    }

    private static void assertRight(Log log, List<Claimant> all, int seed) {
        assertEquals(1, log.records.stream().filter(state -> state.phase() == JobPhase.SUCCEEDED).count(), "seed " + seed);
        assertEquals(1, all.stream().filter(claimant -> claimant.believesItPublished).count(), "seed " + seed);
        for (int i = 1; i < log.records.size(); i++) {
            JobState before = log.records.get(i - 1);
            JobState after = log.records.get(i);
            assertTrue(before.phase().allows(after.phase()), "seed " + seed + ": " + before.phase() + " to " + after.phase());
            boolean claim = after.phase() == JobPhase.RUNNING && before.phase() == JobPhase.QUEUED;
            assertEquals(before.token() + (claim ? 1 : 0), after.token(), "seed " + seed);
        }
    }
}
