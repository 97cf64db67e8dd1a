package dev.sluice.evaluator;

import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.evaluation.Promotion;
import dev.sluice.evaluator.promotion.Registry;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/// The adapters that wait for their score, oldest first, those that failed after a pause.
///
/// What is done is read from the log: an adapter beside its base model is scored in the same transaction in which it is
/// decided about, and a decision names its candidate. Only what can leave no trace there is remembered here.
public final class Queue {

    /// Tries so far and when the next may be.
    record Attempt(int tries, Instant next, String reason) {}

    private final Views views;
    private final Registry registry;
    private final Map<String, Attempt> attempts = new HashMap<>();
    private final Map<String, String> settled = new ConcurrentHashMap<>();
    private final Instant started;

    Queue(Views views, Registry registry, Instant started) {
        this.views = views;
        this.registry = registry;
        this.started = started;
    }

    Optional<AdapterPublished> next(Instant now) {
        return waiting().stream().filter(adapter -> {
            Attempt attempt = attempts.get(adapter.adapterId());
            return attempt == null || !now.isBefore(attempt.next());
        }).findFirst();
    }

    /// All that are not done, oldest first.
    public List<AdapterPublished> waiting() {
        return views.adapters().values().stream().filter(this::isUndecided)
                .sorted(Comparator.comparing(AdapterPublished::publishedAt).thenComparing(AdapterPublished::adapterId)).toList();
    }

    public boolean isUndecided(AdapterPublished adapter) {
        return !settled.containsKey(adapter.adapterId()) && !registry.isScored(adapter) && !isJudged(adapter);
    }

    /// Adapters that got no score, with the reason.
    public Map<String, String> unscored() {
        return Map.copyOf(settled);
    }

    int tries(AdapterPublished adapter) {
        return Optional.ofNullable(attempts.get(adapter.adapterId())).map(Attempt::tries).orElse(0);
    }

    void later(AdapterPublished adapter, String reason, Instant now, Duration pause) {
        attempts.put(adapter.adapterId(), new Attempt(tries(adapter) + 1, now.plus(pause), reason));
    }

    /// The adapter gets no score, and this process does not try again.
    void settle(AdapterPublished adapter, String reason) {
        attempts.remove(adapter.adapterId());
        settled.put(adapter.adapterId(), reason);
    }

    void done(AdapterPublished adapter) {
        attempts.remove(adapter.adapterId());
    }

    /// Whether an adapter that cannot be scored was found so by an earlier process: others have been judged since, and its
    /// own decision, which the log keeps only until the next one, must not come back with every restart.
    boolean isOldNews(AdapterPublished adapter, Optional<Promotion> latest) {
        return adapter.publishedAt().isBefore(started) && latest.map(decision -> decision.decidedAt().isAfter(adapter.publishedAt())).orElse(false);
    }

    private boolean isJudged(AdapterPublished adapter) {
        String alias = adapter.evaluation().alias();
        return alias != null && views.promotions().get(alias).map(decision -> adapter.adapterId().equals(decision.candidateId())).orElse(false);
    }
}
