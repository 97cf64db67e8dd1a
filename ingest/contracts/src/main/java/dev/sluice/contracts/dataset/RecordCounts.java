package dev.sluice.contracts.dataset;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import dev.sluice.contracts.wire.Check;

/// What became of the records that came in. Every record has exactly one fate: `in = accepted + duplicate + refused`.
@JsonIgnoreProperties(ignoreUnknown = true)
public record RecordCounts(long in, long accepted, long duplicate, long refused) {

    public static final RecordCounts ZERO = new RecordCounts(0, 0, 0, 0);

    public RecordCounts {
        Check.atLeast(accepted, 0, "accepted");
        Check.atLeast(duplicate, 0, "duplicate");
        Check.atLeast(refused, 0, "refused");
        if (in != accepted + duplicate + refused) {
            throw new IllegalArgumentException("in must be accepted + duplicate + refused, was " + in + " != "
                    + accepted + " + " + duplicate + " + " + refused);
        }
    }

    public static RecordCounts of(long accepted, long duplicate, long refused) {
        return new RecordCounts(accepted + duplicate + refused, accepted, duplicate, refused);
    }

    public RecordCounts plus(RecordCounts other) {
        return of(accepted + other.accepted, duplicate + other.duplicate, refused + other.refused);
    }
}
