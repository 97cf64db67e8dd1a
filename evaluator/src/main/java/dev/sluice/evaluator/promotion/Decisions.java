package dev.sluice.evaluator.promotion;

import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.evaluation.Decision;
import dev.sluice.contracts.evaluation.Promotion;
import dev.sluice.contracts.evaluation.RuleResult;
import dev.sluice.evaluator.policy.Judgement;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/// Follows one decision about an alias by the next.
public final class Decisions {

    /// Who decides when no person does.
    public static final String POLICY = "policy";

    private Decisions() {}

    /// @param latest the decision before, or empty for a new alias
    public static Promotion next(Optional<Promotion> latest, AdapterPublished candidate, Judgement judgement, Instant now) {
        String alias = candidate.evaluation().alias();
        long version = latest.map(Promotion::version).orElse(0L) + 1;
        Promotion before = latest.orElse(null);
        if (judgement.decision() == Decision.PROMOTE) {
            return new Promotion(alias, version, Decision.PROMOTE, candidate.adapterId(), candidate.adapterId(), candidate.jobId(),
                    candidate.datasetId(), candidate.datasetVersion(), before == null ? null : before.championId(), judgement.rules(), POLICY, now);
        }
        return new Promotion(alias, version, judgement.decision(), candidate.adapterId(), before == null ? null : before.championId(),
                before == null ? null : before.championJobId(), before == null ? null : before.championDatasetId(),
                before == null ? null : before.championDatasetVersion(), before == null ? null : before.previousChampionId(),
                judgement.rules(), POLICY, now);
    }

    /// Swaps the champion and the one before it; the base model where there was none.
    ///
    /// @param adapters looks an adapter up
    /// @return empty when the alias has never had a champion, or the one before is not known any more
    public static Optional<Promotion> rollback(Promotion latest, Function<String, Optional<AdapterPublished>> adapters, String actor,
            String reason, Instant now) {
        String target = latest.previousChampionId();
        Optional<AdapterPublished> back = target == null ? Optional.empty() : adapters.apply(target);
        if (target == null ? latest.championId() == null : back.isEmpty()) {
            return Optional.empty();
        }
        var rule = new RuleResult("request", "PASS", reason == null ? "rolled back on request" : reason);
        return Optional.of(new Promotion(latest.alias(), latest.version() + 1, Decision.ROLLBACK, target, target,
                back.map(AdapterPublished::jobId).orElse(null), back.map(AdapterPublished::datasetId).orElse(null),
                back.map(AdapterPublished::datasetVersion).orElse(null), latest.championId(), List.of(rule), actor, now));
    }
}
