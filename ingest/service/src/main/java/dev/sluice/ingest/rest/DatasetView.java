package dev.sluice.ingest.rest;

import dev.sluice.contracts.dataset.DatasetLedger;
import dev.sluice.contracts.dataset.DatasetVersion;
import dev.sluice.contracts.dataset.RecordCounts;
import dev.sluice.ingest.dataset.Datasets;
import java.time.Instant;
import java.util.List;

/// A dataset, live.
///
/// @param id dataset id; `-` holds refused records that named none
/// @param counts `in = accepted + duplicate + refused`
/// @param sha256 of its examples now, as a version cut now would have it
/// @param versions oldest first
record DatasetView(String id, RecordCounts counts, String sha256, Instant updatedAt, List<DatasetVersion> versions) {

    static DatasetView of(DatasetLedger ledger, List<DatasetVersion> versions) {
        return new DatasetView(ledger.datasetId(), ledger.counts(), Datasets.sha256(ledger), ledger.updatedAt(), versions);
    }
}
