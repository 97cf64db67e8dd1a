package dev.sluice.trainer.ownership;

import dev.sluice.contracts.job.JobState;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;

/// Tells which leases have run out, without trusting any wall clock but the owner's against itself.
///
/// A lease is as long as its owner said (`lease_until - updated_at`, both by the owner's clock), counted on *our*
/// monotonic clock from the moment we saw the record. A clock that is an hour off therefore neither loses nor keeps a
/// lease. A trainer that has just started waits one lease before it takes over anything.
public final class LeaseWatch {

    private final LongSupplier nanos;
    private final Map<String, Sighting> sightings = new ConcurrentHashMap<>();

    private record Sighting(JobState state, long atNanos) {}

    /// @param nanos monotonic clock, for example `System::nanoTime`
    public LeaseWatch(LongSupplier nanos) {
        this.nanos = nanos;
    }

    /// Notes a job's newest record. Seeing the same record again changes nothing.
    public void saw(JobState state) {
        if (state.phase().isOwned()) {
            sightings.compute(state.jobId(), (_, last) -> last != null && last.state.equals(state) ? last
                    : new Sighting(state, nanos.getAsLong()));
        } else {
            sightings.remove(state.jobId());
        }
    }

    /// Whether the owner of `state` has been silent for the length of its lease.
    public boolean hasExpired(JobState state) {
        if (!state.phase().isOwned()) {
            return false;
        }
        saw(state);
        Sighting sighting = sightings.get(state.jobId());
        return sighting != null && nanos.getAsLong() - sighting.atNanos >= length(state).toNanos();
    }

    private static Duration length(JobState state) {
        return Duration.between(state.updatedAt(), state.leaseUntil());
    }
}
