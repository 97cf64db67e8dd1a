package dev.sluice.evaluator;

import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.evaluation.ScoreEvent;
import dev.sluice.contracts.evaluation.Unscored;
import dev.sluice.contracts.evaluation.Waiting;
import dev.sluice.evaluator.promotion.Registry;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// The adapters that wait for their score, oldest first, those that failed after a pause.
///
/// What is done is read from the log: every adapter ends there with its score beside the base model or with the reason why
/// it has none, in the same transaction in which it is decided about. An adapter whose cause may have been mended gets one
/// more chance here, after all others.
public final class Queue {

    /// Tries so far and when the next may be.
    record Attempt(int tries, Instant next) {}

    private final Views views;
    private final Registry registry;
    private final Map<String, Attempt> attempts = new HashMap<>();
    private final Set<String> givenUp = ConcurrentHashMap.newKeySet();

    Queue(Views views, Registry registry) {
        this.views = views;
        this.registry = registry;
    }

    Optional<AdapterPublished> next(Instant now) {
        return Stream.concat(waiting().stream(), secondChances().stream()).filter(adapter -> {
            Attempt attempt = attempts.get(adapter.adapterId());
            return attempt == null || !now.isBefore(attempt.next());
        }).findFirst();
    }

    /// All that are not done, oldest first.
    public List<AdapterPublished> waiting() {
        return oldestFirst(this::isUndecided).toList();
    }

    /// Those that an evaluator before this one gave up, though somebody may have mended the cause since; oldest first.
    public List<AdapterPublished> secondChances() {
        return oldestFirst(this::hasSecondChance).toList();
    }

    public boolean isUndecided(AdapterPublished adapter) {
        return registry.isKnown(adapter) ? !registry.isScored(adapter) && registry.unscored(adapter).isEmpty() : !isJudged(adapter);
    }

    /// Adapters that got no score, with the reason.
    public Map<String, String> unscored() {
        return reasons(Unscored.class, Unscored::reason);
    }

    /// What scores wait for that were tried in vain so far, by adapter.
    public Map<String, String> waitingFor() {
        return reasons(Waiting.class, Waiting::reason);
    }

    private <T extends ScoreEvent> Map<String, String> reasons(Class<T> type, Function<T, String> reason) {
        return views.scores().values().stream().filter(type::isInstance).map(type::cast)
                .collect(Collectors.toMap(ScoreEvent::adapterId, reason, (first, _) -> first));
    }

    int tries(AdapterPublished adapter) {
        return Optional.ofNullable(attempts.get(adapter.adapterId())).map(Attempt::tries).orElse(0);
    }

    void later(AdapterPublished adapter, Instant now, Duration pause) {
        attempts.put(adapter.adapterId(), new Attempt(tries(adapter) + 1, now.plus(pause)));
    }

    /// The adapter has its reason in the log, and this session does not try again.
    void giveUp(AdapterPublished adapter) {
        attempts.remove(adapter.adapterId());
        givenUp.add(chance(adapter));
    }

    void done(AdapterPublished adapter) {
        attempts.remove(adapter.adapterId());
    }

    private boolean hasSecondChance(AdapterPublished adapter) {
        return registry.unscored(adapter).filter(Unscored::retryable).isPresent() && !givenUp.contains(chance(adapter));
    }

    /// The same files may come again from another job.
    private static String chance(AdapterPublished adapter) {
        return adapter.jobId() + "/" + adapter.adapterId();
    }

    private Stream<AdapterPublished> oldestFirst(Predicate<AdapterPublished> wanted) {
        return views.adapters().values().stream().filter(wanted)
                .sorted(Comparator.comparing(AdapterPublished::publishedAt).thenComparing(AdapterPublished::adapterId));
    }

    /// Decided about before the log said why an adapter has no score.
    private boolean isJudged(AdapterPublished adapter) {
        String alias = adapter.evaluation().alias();
        return alias != null && views.promotions().get(alias).map(decision -> adapter.adapterId().equals(decision.candidateId())).orElse(false);
    }
}
