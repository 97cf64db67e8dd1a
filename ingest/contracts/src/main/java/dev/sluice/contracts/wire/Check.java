package dev.sluice.contracts.wire;

import java.util.regex.Pattern;

/// Checks that records make of their own fields; every message names the field and what was found.
public final class Check {

    private static final Pattern ID = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,127}");

    private Check() {}

    /// An id that is safe in keys, file names and URLs: letters, digits, `.`, `_`, `-`, at most 128.
    public static String id(String value, String field) {
        if (value == null || !ID.matcher(value).matches()) {
            throw new IllegalArgumentException(field + " must be 1 to 128 letters, digits, '.', '_' or '-', starting with a letter or digit, was "
                    + (value == null ? "absent" : "'" + shorten(value) + "'"));
        }
        return value;
    }

    public static <T> T present(T value, String field) {
        if (value == null) {
            throw new IllegalArgumentException(field + " is missing");
        }
        return value;
    }

    public static String text(String value, String field) {
        if (value == null || value.isBlank()) {
            throw new IllegalArgumentException(field + " is missing");
        }
        return value;
    }

    public static void atLeast(long value, long least, String field) {
        if (value < least) {
            throw new IllegalArgumentException(field + " must be at least " + least + ", was " + value);
        }
    }

    private static String shorten(String value) {
        return value.length() <= 80 ? value : value.substring(0, 80) + "…";
    }
}
