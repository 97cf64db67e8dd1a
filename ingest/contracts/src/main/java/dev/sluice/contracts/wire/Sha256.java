package dev.sluice.contracts.wire;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.regex.Pattern;

/// SHA-256 as 64 lower-case hexadecimal digits: how everything is named and verified.
public final class Sha256 {

    private static final Pattern HEX = Pattern.compile("[0-9a-f]{64}");

    private Sha256() {}

    public static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }

    public static String of(byte[] bytes) {
        return hex(digest().digest(bytes));
    }

    public static String of(String text) {
        return of(text.getBytes(StandardCharsets.UTF_8));
    }

    public static String hex(byte[] hash) {
        return HexFormat.of().formatHex(hash);
    }

    /// Returns `hash` when it is 64 lower-case hexadecimal digits.
    ///
    /// @throws IllegalArgumentException naming `field` otherwise
    public static String require(String hash, String field) {
        if (hash == null || !HEX.matcher(hash).matches()) {
            throw new IllegalArgumentException(field + " must be 64 lower-case hexadecimal digits, was " + hash);
        }
        return hash;
    }
}
