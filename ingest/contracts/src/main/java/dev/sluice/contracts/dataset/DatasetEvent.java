package dev.sluice.contracts.dataset;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;

/// What `datasets.v1` carries; the field `kind` tells which.
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "kind")
@JsonSubTypes({
    @JsonSubTypes.Type(value = DatasetLedger.class, name = "ledger"),
    @JsonSubTypes.Type(value = DatasetVersion.class, name = "version"),
    @JsonSubTypes.Type(value = PreparedDataset.class, name = "prepared"),
})
public sealed interface DatasetEvent permits DatasetLedger, DatasetVersion, PreparedDataset {

    /// The message's key.
    String key();

    String datasetId();
}
