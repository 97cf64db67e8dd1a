package dev.sluice.text.record;

/// What a record may cost.
///
/// @param bytes        size of the whole record
/// @param stringLength UTF-16 units of one string
/// @param depth        nesting of arrays and objects
public record RecordLimits(int bytes, int stringLength, int depth) {

    /// 16 MiB a record, 8 Mi characters a string, 64 levels.
    public static final RecordLimits DEFAULT = new RecordLimits(16 << 20, 8 << 20, 64);

    public RecordLimits {
        if (bytes < 1 || stringLength < 1 || depth < 1 || depth > 500) {
            throw new IllegalArgumentException("Record limits must be positive and the depth at most 500, but are "
                    + bytes + " bytes, " + stringLength + " characters, " + depth + " levels.");
        }
    }
}
