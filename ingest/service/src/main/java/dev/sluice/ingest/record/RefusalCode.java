package dev.sluice.ingest.record;

/// Why ingest refuses a record before or after the text half has seen it. The text half's own codes are
/// [dev.sluice.text.record.Refusal]; all of them travel in the header `dlq-code`.
enum RefusalCode {
    /// The message has no value.
    NO_VALUE,
    /// No header and no field names a dataset.
    NO_DATASET,
    /// The dataset id has characters that an id may not have.
    INVALID_DATASET_ID,
    /// A fault of ours; the log has more.
    INTERNAL
}
