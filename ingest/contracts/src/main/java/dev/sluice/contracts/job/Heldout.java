package dev.sluice.contracts.job;

import dev.sluice.contracts.wire.FieldChecks;

/// Where held-out rows come from: a dataset of their own, or a share of the training dataset by hash of the record id.
///
/// @param dataset separate dataset, or absent
/// @param fraction share held out when `dataset` is absent; 0 holds nothing out
public record Heldout(DatasetRef dataset, Double fraction) {

    public static final double DEFAULT_FRACTION = 0.1;

    public Heldout {
        new FieldChecks()
                .refuse(dataset != null && fraction != null && fraction > 0, "fraction", "must be absent when a held-out dataset is given")
                .require(fraction == null || (fraction >= 0 && fraction < 1), "fraction", "at least 0 and below 1", fraction)
                .verify();
        if (fraction == null) {
            fraction = dataset == null ? DEFAULT_FRACTION : 0.0;
        }
    }
}
