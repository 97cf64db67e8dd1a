package dev.sluice.contracts.dataset;

import dev.sluice.contracts.wire.Check;

/// A stretch of one partition: offsets `from` (inclusive) to `to` (exclusive).
///
/// Other keys and transaction markers may lie within; a reader takes only the messages of its key.
public record OffsetRange(int partition, long from, long to) {
    public OffsetRange {
        Check.atLeast(partition, 0, "partition");
        Check.atLeast(from, 0, "from");
        Check.atLeast(to, from, "to");
    }
}
