package dev.sluice.cli.pipeline;

import java.util.List;
import java.util.Locale;

/// The three services, and how a single machine runs them.
public enum ServiceKind {
    INGEST("ingest/service", "768m", List.of("-XX:TieredStopAtLevel=1")),
    // The trainer's and the evaluator's vector kernels need the optimising compiler, so they keep all its tiers.
    TRAINER("trainer", "1g", List.of()),
    EVALUATOR("evaluator", "1g", List.of());

    private final String module;
    private final String heap;
    private final List<String> jvmOptions;

    ServiceKind(String module, String heap, List<String> jvmOptions) {
        this.module = module;
        this.heap = heap;
        this.jvmOptions = jvmOptions;
    }

    public String title() {
        return name().toLowerCase(Locale.ROOT);
    }

    String module() {
        return module;
    }

    String heap() {
        return heap;
    }

    List<String> jvmOptions() {
        return jvmOptions;
    }
}
