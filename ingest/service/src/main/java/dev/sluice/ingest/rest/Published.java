package dev.sluice.ingest.rest;

import java.util.List;

/// What became of the lines of a body. Published lines are safe in the log; their fate follows, see the dataset's counts.
///
/// @param published lines in the records topic now
/// @param refused lines that could not be sent
record Published(String datasetId, long published, List<RefusedLine> refused) {

    /// @param line from 1
    record RefusedLine(long line, String code, String reason) {}
}
