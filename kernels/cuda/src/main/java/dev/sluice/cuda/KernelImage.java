package dev.sluice.cuda;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;
import java.util.Properties;

/// A fat binary of kernels on the class path, and the devices it has code for.
///
/// @param machine compute capabilities (times ten) with machine code; it also runs on later minor versions of the same major one
/// @param exact whether the machine code runs on exactly those devices, as architecture-specific code does
/// @param intermediate capability from which the driver can compile the embedded PTX; [Integer#MAX_VALUE] without any
record KernelImage(String name, int[] machine, boolean exact, int intermediate) {
    /// The image, or empty where the build had no nvcc.
    static Optional<KernelImage> find(String name) {
        try (var in = KernelImage.class.getResourceAsStream(name + ".properties")) {
            if (in == null || KernelImage.class.getResource(name + ".fatbin") == null) {
                return Optional.empty();
            }
            var properties = new Properties();
            properties.load(in);
            int[] machine = Arrays.stream(properties.getProperty("machine").split(",")).mapToInt(Integer::parseInt).toArray();
            String ptx = properties.getProperty("ptx", "").strip();
            return Optional.of(new KernelImage(name, machine, Boolean.parseBoolean(properties.getProperty("exact")),
                    ptx.isEmpty() ? Integer.MAX_VALUE : Integer.parseInt(ptx)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    boolean runsOn(int capability) {
        return capability >= intermediate || Arrays.stream(machine).anyMatch(m ->
                exact ? m == capability : m / 10 == capability / 10 && m <= capability);
    }

    /// Where it runs, for a refusal.
    String requirement() {
        return (exact ? "exactly " : "one of ") + Arrays.toString(machine)
                + (intermediate == Integer.MAX_VALUE ? "" : " or newer than " + intermediate) + " (compute capability times ten)";
    }

    /// SHA-256 of the image, in hexadecimal.
    static String hash(byte[] image) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(image));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    byte[] bytes() {
        try (var in = KernelImage.class.getResourceAsStream(name + ".fatbin")) {
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
