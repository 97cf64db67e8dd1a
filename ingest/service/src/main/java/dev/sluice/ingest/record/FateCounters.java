package dev.sluice.ingest.record;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;

/// `sluice_records_total{result}`: fates that were committed since this process started. The account that survives a
/// restart is the dataset's ledger.
public final class FateCounters {

    private final Counter accepted;
    private final Counter duplicate;
    private final Counter refused;

    public FateCounters(MeterRegistry registry, Positions positions) {
        accepted = counter(registry, "accepted");
        duplicate = counter(registry, "duplicate");
        refused = counter(registry, "refused");
        registry.gauge("sluice.records.backlog", positions, Positions::backlog);
    }

    void count(Fate fate) {
        switch (fate) {
            case Fate.Accepted _ -> accepted.increment();
            case Fate.Duplicate _ -> duplicate.increment();
            case Fate.Refused _ -> refused.increment();
        }
    }

    private static Counter counter(MeterRegistry registry, String result) {
        return Counter.builder("sluice.records").tag("result", result).description("Records by what became of them").register(registry);
    }
}
