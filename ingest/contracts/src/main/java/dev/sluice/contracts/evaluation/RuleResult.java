package dev.sluice.contracts.evaluation;

import dev.sluice.contracts.wire.Check;

/// How one rule of the policy came out.
///
/// @param rule name, for example `superiority`
/// @param result PASS, FAIL, INCONCLUSIVE or SKIPPED
/// @param detail the numbers, in words
public record RuleResult(String rule, String result, String detail) {
    public RuleResult {
        Check.text(rule, "rule");
        Check.text(result, "result");
    }
}
