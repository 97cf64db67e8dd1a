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
    private final MultiGauge candidates;
    private final MultiGauge errors;
    private final MultiGauge times;
    private volatile double loss = Double.NaN;

    public TrainerMetrics(MeterRegistry registry) {
        this.registry = registry;
        steps = Timer.builder("sluice.train.step").description("Wall time of optimiser steps").register(registry);
        tokens = Counter.builder("sluice.train.tokens").description("Tokens trained on or attended to").register(registry);
        fenced = Counter.builder("sluice.fenced").description("Jobs dropped because another trainer owned them").register(registry);
        backend = MultiGauge.builder("sluice.backend.info").description("The compute backend and why it was chosen").register(registry);
        candidates = MultiGauge.builder("sluice.backend.candidate").description("Whether a backend could have been chosen, and why not")
                .register(registry);
        errors = MultiGauge.builder("sluice.backend.probe.error").description("Error of an operation beside the reference, as a share of its"
                + " bound").register(registry);
        times = MultiGauge.builder("sluice.backend.probe.time").baseUnit("seconds").description("Measured time of an operation of one layer,"
                + " forward and backward").register(registry);
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
        backend.register(List.of(MultiGauge.Row.of(Tags.of("backend", decision.chosen(), "reason", decision.choice().reason(),
                "kernels", decision.kernels()), 1)), true);
        candidates.register(decision.candidates().stream().map(one -> MultiGauge.Row.of(
                Tags.of("backend", one.name(), "reason", one.reason()), one.available() ? 1 : 0)).toList(), true);
        errors.register(decision.candidates().stream().flatMap(one -> one.checks().stream().map(check -> MultiGauge.Row.of(
                Tags.of("backend", one.name(), "operation", check.operation()), check.share()))).toList(), true);
        times.register(decision.candidates().stream().flatMap(one -> one.milliseconds().entrySet().stream().map(time -> MultiGauge.Row.of(
                Tags.of("backend", one.name(), "operation", time.getKey()), time.getValue() / 1e3))).toList(), true);
    }
}
