package dev.sluice.contracts.dataset;

import com.fasterxml.jackson.databind.JsonNode;
import dev.sluice.contracts.wire.Check;
import dev.sluice.contracts.wire.Sha256;

/// An accepted example, normalised: what `examples.v1` carries.
///
/// @param recordId id of the record it came from
/// @param datasetId dataset it belongs to
/// @param example the conversation in its one normal form (a JSON object)
/// @param contentSha256 hash of `example` as written (no spaces, members in this order): equal ones of a dataset are duplicates
public record Example(String recordId, String datasetId, JsonNode example, String contentSha256) {
    public Example {
        Check.text(recordId, "record_id");
        Check.id(datasetId, "dataset_id");
        Check.present(example, "example");
        if (!example.isObject()) {
            throw new IllegalArgumentException("example must be a JSON object, was " + example.getNodeType());
        }
        Sha256.require(contentSha256, "content_sha256");
    }
}
