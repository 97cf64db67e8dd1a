package dev.sluice.cuda;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/// Tile sizes of the kernels, read from the very header that nvcc includes.
final class TileSizes {
    private static final Map<String, Integer> SIZES = read();

    private TileSizes() {}

    static int of(String name) {
        Integer size = SIZES.get(name);
        if (size == null) {
            throw new IllegalArgumentException("tiles.h defines no " + name);
        }
        return size;
    }

    private static Map<String, Integer> read() {
        var sizes = new HashMap<String, Integer>();
        try (var in = TileSizes.class.getResourceAsStream("tiles.h")) {
            new String(in.readAllBytes(), StandardCharsets.US_ASCII).lines().filter(line -> line.startsWith("#define ")).forEach(line -> {
                String[] words = line.split(" +");
                sizes.put(words[1], Integer.parseInt(words[2]));
            });
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return Map.copyOf(sizes);
    }
}
