package dev.sluice.contracts.dataset;

import dev.sluice.contracts.wire.Sha256;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;

/// Hash of a set of examples that does not depend on their order: the sum of their SHA-256 modulo 2^256.
///
/// Partitions are read in no fixed order, so a hash in log order would differ between two runs over the same records.
/// The sum can be carried on example by example, and cutting a version costs nothing.
public record ContentSum(BigInteger value) {

    private static final BigInteger MODULUS = BigInteger.ONE.shiftLeft(256);
    public static final ContentSum ZERO = new ContentSum(BigInteger.ZERO);

    public ContentSum {
        if (value.signum() < 0 || value.compareTo(MODULUS) >= 0) {
            throw new IllegalArgumentException("content sum must lie in 0 .. 2^256 - 1, was " + value.toString(16));
        }
    }

    /// Reads 64 hexadecimal digits.
    public static ContentSum parse(String hex) {
        return new ContentSum(new BigInteger(Sha256.require(hex, "content_sum"), 16));
    }

    public ContentSum plus(String contentSha256) {
        return new ContentSum(value.add(new BigInteger(contentSha256, 16)).mod(MODULUS));
    }

    /// 64 hexadecimal digits.
    public String hex() {
        String digits = value.toString(16);
        return "0".repeat(64 - digits.length()) + digits;
    }

    /// The SHA-256 that names a dataset version of `count` examples.
    public String datasetSha256(long count) {
        return Sha256.of(("sluice.dataset.v1:" + count + ":" + hex()).getBytes(StandardCharsets.UTF_8));
    }
}
