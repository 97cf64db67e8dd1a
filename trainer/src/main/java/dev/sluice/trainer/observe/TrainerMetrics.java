package dev.sluice.trainer.observe;

import dev.sluice.compute.BackendDecision;
import dev.sluice.contracts.job.JobPhase;
import dev.sluice.model.training.StepReport;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.MultiGauge;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.ToLongFunction;

/// The trainer's figures for Prometheus. Job ids are no labels: what concerns one job lies in the progress topic.
public final class TrainerMetrics {

    private final MeterRegistry registry;
    private final Timer steps;
    private final Counter tokens;
    private final Counter fenced;
    private final MultiGauge backend;
    private volatile double loss = Double.NaN;

    public TrainerMetrics(MeterRegistry registry) {
        this.registry = registry;
        steps = Timer.builder("sluice.train.step").description("Wall time of optimiser steps").register(registry);
        tokens = Counter.builder("sluice.train.tokens").description("Tokens trained on or attended to").register(registry);
        fenced = Counter.builder("sluice.fenced").description("Jobs dropped because another trainer owned them").register(registry);
        backend = MultiGauge.builder("sluice.backend.info").description("The compute backend and why it was chosen").register(registry);
        Gauge.builder("sluice.train.loss", () -> loss).description("Loss of the last step, nats per trained token").register(registry);
    }

    /// Publishes how many jobs stand in each phase.
    public void countJobs(ToLongFunction<JobPhase> count) {
        for (JobPhase phase : JobPhase.values()) {
            Gauge.builder("sluice.jobs", () -> count.applyAsLong(phase)).tag("phase", phase.name()).register(registry);
        }
    }

    public void step(StepReport report) {
        steps.record((long) (report.milliseconds() * 1e6), TimeUnit.NANOSECONDS);
        tokens.increment(report.tokens());
        loss = report.loss();
    }

    public void fenced() {
        fenced.increment();
    }

    public void ended(String fate) {
        registry.counter("sluice.jobs.ended", "fate", fate).increment();
    }

    public void backend(BackendDecision decision) {
        String reason = decision.candidates().stream().filter(candidate -> candidate.name().equals(decision.chosen()))
                .map(BackendDecision.Candidate::reason).findFirst().orElse("");
        backend.register(List.of(MultiGauge.Row.of(Tags.of("backend", decision.chosen(), "reason", reason), 1)), true);
    }
}
