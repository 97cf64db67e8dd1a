package dev.sluice.evaluator.policy;

import dev.sluice.contracts.evaluation.Decision;
import dev.sluice.contracts.evaluation.RuleResult;
import java.util.List;

/// A decision with the result of every rule.
public record Judgement(Decision decision, List<RuleResult> rules) {
    public Judgement {
        rules = List.copyOf(rules);
    }
}
