package dev.sluice.contracts.dataset;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.sluice.contracts.wire.Check;
import java.time.Instant;
import java.util.List;

/// The running account of a dataset, committed in the same transaction as the fates it counts. Key: dataset id.
///
/// @param datasetId the dataset, or [#UNASSIGNED] for refused records that name none
/// @param ranges where its accepted examples lie in `examples.v1` so far
/// @param contentSum running [ContentSum] of the accepted examples, 64 hexadecimal digits
/// @param updatedAt time of the transaction
@JsonInclude(JsonInclude.Include.NON_NULL)
public record DatasetLedger(String datasetId, RecordCounts counts, List<OffsetRange> ranges, String contentSum, Instant updatedAt)
        implements DatasetEvent {

    /// Stands in for the dataset id of records that were refused before one was known. No dataset can have this name.
    public static final String UNASSIGNED = "-";

    public DatasetLedger {
        if (!UNASSIGNED.equals(datasetId)) {
            Check.id(datasetId, "dataset_id");
        }
        Check.present(counts, "counts");
        Check.present(updatedAt, "updated_at");
        ranges = ranges == null ? List.of() : List.copyOf(ranges);
        ContentSum.parse(contentSum);
    }

    @Override
    public String key() {
        return datasetId;
    }
}
