package dev.sluice.model.checkpoint;

import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/// What a checkpoint holds and the decoder does not read: layers for multi-token prediction, indexers, vision towers.
final class UnreadTensors {
    private UnreadTensors() {}

    /// The parts by name with their numbers of tensors, layers taken together; empty if all is read.
    static String describe(Set<String> stored, Set<String> read) {
        var known = new HashSet<String>();
        for (String name : read) {
            for (int end = name.length(); end > 0; end = name.lastIndexOf('.', end - 1)) {
                known.add(name.substring(0, end));
            }
        }
        var parts = new TreeMap<String, Integer>();
        stored.stream().filter(name -> !read.contains(name)).forEach(name -> parts.merge(part(name, known), 1, Integer::sum));
        return parts.entrySet().stream().map(UnreadTensors::describe).collect(Collectors.joining(", "));
    }

    private static String describe(Map.Entry<String, Integer> part) {
        return part.getKey() + " (" + part.getValue() + (part.getValue() == 1 ? " tensor)" : " tensors)");
    }

    /// The shortest beginning of a name that no tensor that is read shares, with `*` for every layer above it.
    private static String part(String name, Set<String> known) {
        int end = name.indexOf('.');
        while (end >= 0 && known.contains(name.substring(0, end))) {
            end = name.indexOf('.', end + 1);
        }
        return (end < 0 ? name : name.substring(0, end)).replaceAll("\\.\\d+\\.", ".*.");
    }
}
