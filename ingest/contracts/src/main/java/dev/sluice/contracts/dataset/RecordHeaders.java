package dev.sluice.contracts.dataset;

/// Kafka headers of `records.v1` that mean something to ingest, besides the CloudEvents ones.
public final class RecordHeaders {
    /// The dataset a record belongs to, so that its value can be any conversation, byte for byte. It wins over a
    /// `dataset_id` inside the value; a record with neither is refused.
    public static final String DATASET = "sluice-dataset";

    private RecordHeaders() {}
}
