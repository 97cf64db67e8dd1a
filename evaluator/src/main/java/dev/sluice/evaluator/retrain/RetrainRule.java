package dev.sluice.evaluator.retrain;

import dev.sluice.contracts.evaluation.Promotion;
import dev.sluice.contracts.job.DatasetRef;
import dev.sluice.contracts.job.JobSpec;
import dev.sluice.contracts.job.Trigger;
import dev.sluice.contracts.job.TriggerKind;
import dev.sluice.contracts.wire.Json;
import dev.sluice.contracts.wire.Sha256;
import java.time.Duration;
import java.time.Instant;
import java.util.List;

/// When a champion's data call for a new adapter: every `newExamples` examples accepted since the version it was trained
/// on. Each such step has one job id, so it is asked for at most once, however often the rule is applied.
///
/// @param newExamples 0: never
/// @param coolDown least time between two retrainings of an alias
public record RetrainRule(long newExamples, Duration coolDown) {
    public RetrainRule {
        if (newExamples < 0) {
            throw new IllegalArgumentException("sluice.retrain.new-examples must be at least 0, was " + newExamples);
        }
        if (coolDown.isNegative()) {
            throw new IllegalArgumentException("sluice.retrain.cool-down must not be negative, was " + coolDown);
        }
    }

    public RetrainVerdict apply(Situation situation, Instant now) {
        long fresh = situation.acceptedNow() - situation.acceptedThen();
        if (newExamples == 0) {
            return new RetrainVerdict.Wait("switched off (sluice.retrain.new-examples is 0)");
        }
        if (fresh < newExamples) {
            return new RetrainVerdict.Wait(fresh + " of " + newExamples + " new examples");
        }
        if (situation.inFlight() != null) {
            return new RetrainVerdict.Wait("job " + situation.inFlight() + " for this alias is under way");
        }
        if (situation.lastRetrain() != null && now.isBefore(situation.lastRetrain().plus(coolDown))) {
            return new RetrainVerdict.Wait("cooling down until " + situation.lastRetrain().plus(coolDown));
        }
        JobSpec job = job(situation, fresh);
        return situation.submitted().contains(job.jobId()) ? new RetrainVerdict.Wait("job " + job.jobId() + " was asked for already")
                : new RetrainVerdict.Due(job);
    }

    private JobSpec job(Situation situation, long fresh) {
        Promotion champion = situation.champion();
        JobSpec spec = situation.championSpec();
        long step = fresh / newExamples;
        String id = "retrain-" + Sha256.of(Json.canonical(List.of("sluice.retrain.v1", champion.alias(), champion.championId(), newExamples, step)))
                .substring(0, 24);
        String cause = fresh + " examples accepted into dataset " + spec.dataset().id() + " since version " + champion.championDatasetVersion()
                + ", on which champion " + champion.championId() + " of alias " + champion.alias() + " was trained; " + newExamples + " call for a new one";
        return new JobSpec(id, spec.model(), DatasetRef.latest(spec.dataset().id()), spec.heldout(), spec.lora(), spec.training(),
                spec.backend(), spec.adapterFormat(), spec.checkpoint(), spec.limits(), spec.evaluation(), spec.exportRows(), "evaluator",
                new Trigger(TriggerKind.RETRAIN, cause), id);
    }
}
