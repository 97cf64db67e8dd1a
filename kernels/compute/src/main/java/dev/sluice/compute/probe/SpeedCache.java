package dev.sluice.compute.probe;

import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;
import java.util.Properties;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;

/// Measured times in a properties file. It only saves time: one that cannot be read or written is as good as none, and is said to.
public final class SpeedCache {
    private static final System.Logger LOG = System.getLogger(SpeedCache.class.getName());

    private final Path file;

    public SpeedCache(Path file) {
        this.file = file;
    }

    /// @param key everything that the times depend on, compared as text
    public Optional<SortedMap<String, Double>> get(String key) {
        return Optional.ofNullable(load().getProperty(key)).flatMap(SpeedCache::parse);
    }

    public void put(String key, SortedMap<String, Double> milliseconds) {
        var all = load();
        all.setProperty(key, milliseconds.entrySet().stream().map(one -> one.getKey() + "=" + one.getValue())
                .collect(Collectors.joining(";")));
        try {
            Path folder = file.toAbsolutePath().getParent();
            Files.createDirectories(folder);
            Path whole = Files.createTempFile(folder, "speed", ".tmp");
            try (var out = Files.newBufferedWriter(whole)) {
                all.store(out, "Milliseconds of operations by backend, device and shapes. Delete to measure again.");
            }
            Files.move(whole, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, "measured times are not kept: {0}", e.toString());
        }
    }

    private Properties load() {
        var all = new Properties();
        if (Files.exists(file)) {
            try (Reader in = Files.newBufferedReader(file)) {
                all.load(in);
            } catch (IOException | IllegalArgumentException e) {
                LOG.log(System.Logger.Level.WARNING, "measured times in {0} cannot be read and are taken again: {1}", file, e.toString());
                return new Properties();
            }
        }
        return all;
    }

    private static Optional<SortedMap<String, Double>> parse(String text) {
        var times = new TreeMap<String, Double>();
        try {
            for (String one : text.split(";")) {
                int at = one.lastIndexOf('=');
                double time = Double.parseDouble(one.substring(at + 1));
                if (at < 1 || !(time > 0) || Double.isInfinite(time)) {
                    return Optional.empty();
                }
                times.put(one.substring(0, at), time);
            }
            return Optional.of(times);
        } catch (NumberFormatException e) {
            return Optional.empty();
        }
    }
}
