package dev.sluice.contracts.job;

import com.fasterxml.jackson.annotation.JsonIgnore;
import dev.sluice.contracts.wire.FieldChecks;

/// A dataset, at a version or as it is when the job is taken in.
///
/// @param id dataset id
/// @param version 1, 2, 3 …; absent means the latest, cut now when examples came since
public record DatasetRef(String id, Long version) {
    public DatasetRef {
        new FieldChecks().id(id, "id")
                .require(version == null || version >= 1, "version", "at least 1, or absent for the latest", version)
                .verify();
    }

    public static DatasetRef latest(String id) {
        return new DatasetRef(id, null);
    }

    @JsonIgnore
    public boolean isLatest() {
        return version == null;
    }
}
