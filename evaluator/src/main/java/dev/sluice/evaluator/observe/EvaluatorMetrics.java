package dev.sluice.evaluator.observe;

import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.evaluation.Metric;
import dev.sluice.contracts.evaluation.Promotion;
import dev.sluice.contracts.evaluation.Score;
import dev.sluice.evaluator.failure.Failure;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.MultiGauge;
import io.micrometer.core.instrument.Tags;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;

/// What Prometheus sees: `sluice_eval_metric`, the latest score of each alias, `sluice_promotions_total`, and
/// `sluice_eval_failures_total`, tries to score that came to nothing.
public final class EvaluatorMetrics {

    private final MeterRegistry registry;
    private final MultiGauge metric;
    private final Map<String, Score> latest = new ConcurrentHashMap<>();

    public EvaluatorMetrics(MeterRegistry registry) {
        this.registry = registry;
        metric = MultiGauge.builder("sluice.eval.metric")
                .description("Metrics of the adapter scored last, and of its base model, on the same held-out rows").register(registry);
    }

    /// Replaces the alias's numbers: one set per alias, however many adapters there have been.
    public void scored(AdapterPublished adapter, Score score) {
        latest.put(Objects.requireNonNullElse(adapter.evaluation().alias(), "none"), score);
        List<MultiGauge.Row<?>> rows = new ArrayList<>();
        latest.forEach((alias, of) -> {
            rows.addAll(rows(alias, "baseline", of.baselineMetrics()));
            rows.addAll(rows(alias, "candidate", of.candidateMetrics()));
        });
        metric.register(rows, true);
    }

    public void decided(Promotion promotion) {
        registry.counter("sluice.promotions", "alias", promotion.alias(), "decision", promotion.decision().name()).increment();
    }

    public void failed(Failure failure) {
        registry.counter("sluice.eval.failures", "failure", failure.getClass().getSimpleName().toLowerCase(Locale.ROOT)).increment();
    }

    private static List<MultiGauge.Row<Number>> rows(String alias, String side, Map<String, Metric> metrics) {
        return metrics.entrySet().stream().map(entry -> MultiGauge.Row.of(Tags.of("alias", alias, "side", side, "metric", entry.getKey()),
                (Number) entry.getValue().value())).toList();
    }
}
