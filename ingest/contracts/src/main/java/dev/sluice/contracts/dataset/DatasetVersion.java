package dev.sluice.contracts.dataset;

import dev.sluice.contracts.wire.Check;
import dev.sluice.contracts.wire.Sha256;
import java.time.Instant;
import java.util.List;

/// A dataset as it was at one moment: offset ranges of `examples.v1`, never a copy. Key: `<dataset id>@<version>`.
///
/// @param version 1, 2, 3 … within the dataset
/// @param ranges where its examples lie
/// @param counts fates of all records up to here; `counts.accepted` is the number of examples in the ranges
/// @param sha256 hash of the examples' content, independent of their order ([ContentSum])
public record DatasetVersion(String datasetId, long version, List<OffsetRange> ranges, RecordCounts counts, String sha256, Instant createdAt)
        implements DatasetEvent {
    public DatasetVersion {
        Check.id(datasetId, "dataset_id");
        Check.atLeast(version, 1, "version");
        ranges = List.copyOf(Check.present(ranges, "ranges"));
        Check.present(counts, "counts");
        Sha256.require(sha256, "sha256");
        Check.present(createdAt, "created_at");
    }

    public static String key(String datasetId, long version) {
        return datasetId + "@" + version;
    }

    @Override
    public String key() {
        return key(datasetId, version);
    }
}
