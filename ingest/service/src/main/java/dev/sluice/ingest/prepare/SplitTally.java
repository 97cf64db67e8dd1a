package dev.sluice.ingest.prepare;

import dev.sluice.text.mask.RowOutcome;
import java.util.EnumMap;
import java.util.Map;

/// What became of the examples of one split.
final class SplitTally {

    private final Map<RowOutcome.Code, String> firstReason = new EnumMap<>(RowOutcome.Code.class);
    private final Map<RowOutcome.Code, Integer> refusals = new EnumMap<>(RowOutcome.Code.class);
    private long truncated;
    private long refused;

    void truncated() {
        truncated++;
    }

    void refused(RowOutcome.Refused refusal) {
        refused++;
        refusals.merge(refusal.code(), 1, Integer::sum);
        firstReason.putIfAbsent(refusal.code(), refusal.reason());
    }

    long truncatedCount() {
        return truncated;
    }

    long refusedCount() {
        return refused;
    }

    /// The most frequent refusal, or null when there was none.
    RowOutcome.Refused mostFrequent() {
        return refusals.entrySet().stream().max(Map.Entry.comparingByValue())
                .map(most -> new RowOutcome.Refused(most.getKey(), firstReason.get(most.getKey()))).orElse(null);
    }
}
