package dev.sluice.ingest.record;

import dev.sluice.contracts.dataset.ContentSum;
import dev.sluice.contracts.dataset.DatasetLedger;
import dev.sluice.contracts.dataset.OffsetRange;
import dev.sluice.contracts.dataset.RecordCounts;
import java.time.Instant;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/// The running account of one dataset, in the making; [#ledger] is what gets committed.
final class Account {

    private final String datasetId;
    private final SortedMap<Integer, OffsetRange> ranges = new TreeMap<>();
    private final ContentSet contents = new ContentSet();
    private long accepted;
    private long duplicate;
    private long refused;
    private ContentSum sum = ContentSum.ZERO;

    Account(String datasetId) {
        this.datasetId = datasetId;
    }

    /// As it was committed. The contents are read from the log, not from here.
    static Account of(DatasetLedger ledger) {
        Account account = new Account(ledger.datasetId());
        account.accepted = ledger.counts().accepted();
        account.duplicate = ledger.counts().duplicate();
        account.refused = ledger.counts().refused();
        account.sum = ContentSum.parse(ledger.contentSum());
        ledger.ranges().forEach(range -> account.ranges.put(range.partition(), range));
        return account;
    }

    /// Remembers the content of an example that is in the log.
    void remember(String contentSha256) {
        contents.add(contentSha256);
    }

    /// @return whether the content is new to this dataset
    boolean isNew(String contentSha256) {
        return contents.add(contentSha256);
    }

    void accepted(String contentSha256, int partition, long offset) {
        accepted++;
        sum = sum.plus(contentSha256);
        ranges.merge(partition, new OffsetRange(partition, offset, offset + 1),
                (known, added) -> new OffsetRange(partition, Math.min(known.from(), offset), Math.max(known.to(), offset + 1)));
    }

    void duplicate() {
        duplicate++;
    }

    void refused() {
        refused++;
    }

    /// Examples that the account and the log agree on, or why they do not.
    void check() {
        if (contents.size() != accepted) {
            throw new IllegalStateException("dataset " + datasetId + ": the account has " + accepted + " accepted examples, the log "
                    + contents.size() + "; was examples.v1 deleted or shortened? Restore it, or start with a new topic prefix");
        }
    }

    DatasetLedger ledger(Instant now) {
        return new DatasetLedger(datasetId, RecordCounts.of(accepted, duplicate, refused), List.copyOf(ranges.values()), sum.hex(), now);
    }
}
