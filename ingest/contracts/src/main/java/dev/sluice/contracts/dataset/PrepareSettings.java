package dev.sluice.contracts.dataset;

import dev.sluice.contracts.wire.Check;

/// How examples become rows. Equal settings over equal inputs give equal bytes.
///
/// Rows stand in the order of the log, packed ones in the order in which their bins were opened; shuffling is the trainer's.
///
/// @param maxLength longest row, in tokens
/// @param packing several examples in a row, best fit; otherwise one example a row
/// @param heldoutFraction share of the examples held out by hash of the record id; 0 when a held-out dataset is given
public record PrepareSettings(int maxLength, boolean packing, double heldoutFraction) {
    public PrepareSettings {
        Check.atLeast(maxLength, 1, "max_length");
        if (!(heldoutFraction >= 0 && heldoutFraction < 1)) {
            throw new IllegalArgumentException("heldout_fraction must be at least 0 and below 1, was " + heldoutFraction);
        }
    }
}
