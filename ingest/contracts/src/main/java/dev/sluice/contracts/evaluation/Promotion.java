package dev.sluice.contracts.evaluation;

import dev.sluice.contracts.wire.Check;
import java.time.Instant;
import java.util.List;

/// The latest decision about a model alias, and its champion: `promotions.v1`, keyed by the alias.
///
/// @param alias the pointer
/// @param version counts decisions about the alias from 1
/// @param decision about `candidateId`
/// @param candidateId the adapter judged
/// @param championId the adapter the alias points to after the decision; null: still the base model
/// @param championJobId job that made the champion; null with it
/// @param championDatasetId its training data; null with it
/// @param championDatasetVersion and version; null with it
/// @param previousChampionId the champion before, or null
/// @param rules every rule's result
/// @param actor who decided: `policy`, or a person
public record Promotion(String alias, long version, Decision decision, String candidateId, String championId, String championJobId,
        String championDatasetId, Long championDatasetVersion, String previousChampionId, List<RuleResult> rules, String actor,
        Instant decidedAt) {
    public Promotion {
        Check.id(alias, "alias");
        Check.atLeast(version, 1, "version");
        Check.present(decision, "decision");
        rules = rules == null ? List.of() : List.copyOf(rules);
        Check.text(actor, "actor");
        Check.present(decidedAt, "decided_at");
    }
}
