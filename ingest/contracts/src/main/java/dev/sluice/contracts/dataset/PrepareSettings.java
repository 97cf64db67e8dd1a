package dev.sluice.contracts.dataset;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.sluice.contracts.wire.Check;

/// How examples become rows. Equal settings over equal inputs give equal bytes.
///
/// @param maxLength longest row, in tokens
/// @param packing several examples in a row, best fit; otherwise one example a row
/// @param shuffle rows in an order drawn from `seed`; otherwise in the order of the log
/// @param seed of the shuffle
/// @param heldoutFraction share of the examples held out by hash of the record id; 0 when a held-out dataset is given
public record PrepareSettings(int maxLength, boolean packing, boolean shuffle, long seed,
        @JsonProperty("heldout_fraction") double heldoutFraction) {
    public PrepareSettings {
        Check.atLeast(maxLength, 1, "max_length");
        if (!(heldoutFraction >= 0 && heldoutFraction < 1)) {
            throw new IllegalArgumentException("heldout_fraction must be at least 0 and below 1, was " + heldoutFraction);
        }
    }
}
