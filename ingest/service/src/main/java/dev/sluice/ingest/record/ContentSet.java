package dev.sluice.ingest.record;

import java.util.HexFormat;

/// A set of content hashes, 128 bits of each, in a table that is a quarter to half full: 10 million take 320 to 640 MB.
final class ContentSet {

    /// Small, because anyone may name a new dataset with every record.
    private static final int FIRST_SLOTS = 8;

    /// Two longs a slot; an empty slot is two zeros.
    private long[] table = new long[2 * FIRST_SLOTS];
    private int size;
    private boolean hasZero;

    /// @param sha256 64 hexadecimal digits
    /// @return whether it was new
    boolean add(String sha256) {
        long high = HexFormat.fromHexDigitsToLong(sha256, 0, 16);
        long low = HexFormat.fromHexDigitsToLong(sha256, 16, 32);
        if (high == 0 && low == 0) {
            boolean added = !hasZero;
            hasZero = true;
            return added;
        }
        if (4L * (size + 1) > table.length) {
            grow();
        }
        return insert(high, low);
    }

    int size() {
        return size + (hasZero ? 1 : 0);
    }

    private boolean insert(long high, long low) {
        int slots = table.length / 2;
        int slot = (int) (high & (slots - 1));
        while (table[2 * slot] != 0 || table[2 * slot + 1] != 0) {
            if (table[2 * slot] == high && table[2 * slot + 1] == low) {
                return false;
            }
            slot = (slot + 1) & (slots - 1);
        }
        table[2 * slot] = high;
        table[2 * slot + 1] = low;
        size++;
        return true;
    }

    private void grow() {
        long[] old = table;
        table = new long[2 * old.length];
        size = 0;
        for (int i = 0; i < old.length; i += 2) {
            if (old[i] != 0 || old[i + 1] != 0) {
                insert(old[i], old[i + 1]);
            }
        }
    }
}
