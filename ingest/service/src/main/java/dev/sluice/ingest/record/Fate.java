package dev.sluice.ingest.record;

/// What becomes of a record. Exactly one for each.
sealed interface Fate {

    /// The dataset whose account it goes to; `-` when the record names none.
    String datasetId();

    /// @param json the example in its normal form, UTF-8
    record Accepted(String datasetId, String recordId, byte[] json, String contentSha256) implements Fate {}

    /// The dataset has an example with this content.
    record Duplicate(String datasetId) implements Fate {}

    /// @param code for machines, in the header `dlq-code`
    /// @param reason for people: what was found and the way out
    record Refused(String datasetId, String code, Stage stage, String reason) implements Fate {}
}
