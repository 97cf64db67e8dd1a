package dev.sluice.evaluator.policy;

import static dev.sluice.contracts.evaluation.Decision.INCONCLUSIVE;
import static dev.sluice.contracts.evaluation.Decision.PROMOTE;
import static dev.sluice.contracts.evaluation.Decision.REJECT;

import dev.sluice.contracts.evaluation.Paired;
import dev.sluice.contracts.evaluation.RuleResult;
import dev.sluice.contracts.job.Evaluation;
import dev.sluice.contracts.wire.Json;
import dev.sluice.contracts.wire.Sha256;
import dev.sluice.evaluator.scoring.Metrics;
import dev.sluice.evaluator.statistic.PairedBootstrap;
import java.util.List;
import java.util.Locale;

/// What a candidate must show to become the champion; declared before anything is scored, and named by its hash in every
/// decision.
///
/// Rules, in order: `sanity`: every file has its hash and every likelihood is a number, else REJECT. `minimum_rows`:
/// enough rows for a verdict, else INCONCLUSIVE. `superiority`: the confidence interval of the improvement lies above 0:
/// PROMOTE; below 0: REJECT; around 0: INCONCLUSIVE.
///
/// @param metric that decides
/// @param minimumRows held-out rows needed, at least 2: a single row shows no spread
/// @param confidence of the two-sided interval
/// @param resamples of the bootstrap
/// @param seed of the bootstrap
public record Policy(String metric, int minimumRows, double confidence, int resamples, long seed) {

    private static final String PASS = "PASS";
    private static final String FAIL = "FAIL";
    private static final String OPEN = "INCONCLUSIVE";
    private static final String SKIPPED = "SKIPPED";
    private static final int LEAST_ROWS = 2;

    /// The policy that a job asks for.
    public static Policy of(Evaluation evaluation, PairedBootstrap bootstrap) {
        return new Policy(Metrics.NLL_PER_TOKEN, Math.max(LEAST_ROWS, evaluation.minimumRows()), evaluation.confidence(),
                bootstrap.resamples(), bootstrap.seed());
    }

    /// SHA-256 of the canonical JSON of the policy.
    public String sha256() {
        return Sha256.of(Json.canonical(this));
    }

    public Judgement judge(Evidence evidence) {
        return switch (evidence) {
            case Evidence.Unscorable(var reason) -> new Judgement(REJECT, List.of(declared(), new RuleResult("sanity", FAIL, reason),
                    skipped("minimum_rows"), skipped("superiority")));
            case Evidence.NothingHeldOut() -> tooFew(0);
            case Evidence.ChampionUnscorable(var rows, var reason) -> rows < minimumRows ? tooFew(rows)
                    : new Judgement(INCONCLUSIVE, List.of(declared(), sane(), enough(rows), new RuleResult("superiority", OPEN, reason)));
            case Evidence.Compared(var paired, var opponent) -> paired.rows() < minimumRows ? tooFew(paired.rows()) : compared(paired, opponent);
        };
    }

    private Judgement compared(Paired paired, String opponent) {
        String numbers = String.format(Locale.ROOT, "%s improves on %s by %.6f (%.6f to %.6f): %.4g %% interval [%.6f, %.6f]", metric, opponent,
                paired.delta(), paired.baseline(), paired.candidate(), 100 * confidence, paired.low(), paired.high());
        if (paired.low() > 0) {
            return new Judgement(PROMOTE, superiority(paired, PASS, numbers + " lies above 0"));
        }
        return paired.high() < 0 ? new Judgement(REJECT, superiority(paired, FAIL, numbers + " lies below 0"))
                : new Judgement(INCONCLUSIVE, superiority(paired, OPEN, numbers + " includes 0"));
    }

    private List<RuleResult> superiority(Paired paired, String result, String detail) {
        return List.of(declared(), sane(), enough(paired.rows()), new RuleResult("superiority", result, detail));
    }

    private Judgement tooFew(long rows) {
        return new Judgement(INCONCLUSIVE, List.of(declared(), sane(), new RuleResult("minimum_rows", OPEN, rows
                + " held-out rows, at least " + minimumRows + " are needed; hold out more, or lower evaluation.minimum_rows"),
                skipped("superiority")));
    }

    /// Not a test but the terms of it.
    private RuleResult declared() {
        return new RuleResult("policy", PASS, "sha256 " + sha256() + " of " + Json.canonicalText(this));
    }

    private static RuleResult sane() {
        return new RuleResult("sanity", PASS, "files have their hashes, likelihoods are numbers");
    }

    private RuleResult enough(long rows) {
        return new RuleResult("minimum_rows", PASS, rows + " held-out rows, " + minimumRows + " needed");
    }

    private static RuleResult skipped(String rule) {
        return new RuleResult(rule, SKIPPED, "an earlier rule decided");
    }
}
