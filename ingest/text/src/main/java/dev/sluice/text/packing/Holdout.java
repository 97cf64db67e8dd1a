package dev.sluice.text.packing;

import dev.sluice.text.digest.Sha256;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/// Decides by the hash of a record's id whether the record is held out from training.
///
/// The decision depends on nothing but id, salt and fraction: it is the same on every machine, in every version of a
/// data set and however the records are ordered, and a larger fraction keeps what a smaller one held out.
///
/// @param fraction share of records held out, 0 (none) to 1 (all)
/// @param salt     any text; another salt gives another, independent split
public record Holdout(double fraction, String salt) {

    /// Trains on everything.
    public static final Holdout NONE = new Holdout(0, "");

    public Holdout {
        if (!(fraction >= 0 && fraction <= 1)) {
            throw new IllegalArgumentException("The hold-out fraction must be between 0 and 1, but is " + fraction + ".");
        }
    }

    public Holdout(double fraction) {
        this(fraction, "");
    }

    /// Whether the record is held out: the first 53 bits of SHA-256(salt, NUL, id), read as a number in [0, 1), lie
    /// below the fraction.
    public boolean holdsOut(String recordId) {
        return fraction > 0 && position(recordId) < fraction;
    }

    private double position(String recordId) {
        byte[] digest = Sha256.digest().digest((salt + '\0' + recordId).getBytes(StandardCharsets.UTF_8));
        return (ByteBuffer.wrap(digest).getLong() >>> 11) * 0x1p-53;
    }
}
