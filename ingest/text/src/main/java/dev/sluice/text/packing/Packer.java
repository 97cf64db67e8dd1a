package dev.sluice.text.packing;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.NavigableSet;
import java.util.TreeSet;
import java.util.stream.IntStream;

/// Lays rows into sequences of at most `maxLength` tokens.
///
/// Both strategies are deterministic: the same lengths in the same order give the same bins. A row is never split.
public enum Packer {

    /// One row a sequence, in input order.
    NONE {
        @Override
        List<Bin> place(int[] lengths, int maxLength) {
            return IntStream.range(0, lengths.length).mapToObj(row -> new Bin(new int[] {row}, lengths[row])).toList();
        }
    },

    /// Best fit decreasing: rows from long to short (ties by input order), each into the fullest bin that still holds
    /// it (ties: the bin opened first). O(n log n).
    BEST_FIT_DECREASING {
        @Override
        List<Bin> place(int[] lengths, int maxLength) {
            var open = new OpenBins(maxLength);
            IntStream.range(0, lengths.length).boxed()
                    .sorted(Comparator.comparingInt((Integer row) -> -lengths[row]))
                    .forEach(row -> open.add(row, lengths[row]));
            return open.bins();
        }
    };

    abstract List<Bin> place(int[] lengths, int maxLength);

    /// Packs rows of the given `lengths` (tokens, each 1..maxLength) into bins.
    ///
    /// @return bins in the order they were opened; every row is in exactly one
    /// @throws IllegalArgumentException when a row is empty or longer than `maxLength`
    public List<Bin> pack(int[] lengths, int maxLength) {
        for (int row = 0; row < lengths.length; row++) {
            if (lengths[row] < 1 || lengths[row] > maxLength) {
                throw new IllegalArgumentException("Packing row " + row + ": its length must be between 1 and the maximum of "
                        + maxLength + " tokens, but is " + lengths[row] + ". Truncate rows before packing them.");
            }
        }
        return place(lengths, maxLength);
    }

    private static final class OpenBins {

        private record Slot(int free, int bin) {}

        private final int capacity;
        private final List<List<Integer>> rows = new ArrayList<>();
        private final List<Integer> used = new ArrayList<>();
        private final NavigableSet<Slot> byRoom =
                new TreeSet<>(Comparator.comparingInt(Slot::free).thenComparingInt(Slot::bin));

        OpenBins(int capacity) {
            this.capacity = capacity;
        }

        void add(int row, int length) {
            Slot slot = byRoom.ceiling(new Slot(length, 0));
            if (slot == null) {
                slot = new Slot(capacity, rows.size());
                rows.add(new ArrayList<>());
                used.add(0);
            }
            byRoom.remove(slot);
            rows.get(slot.bin).add(row);
            used.set(slot.bin, used.get(slot.bin) + length);
            if (slot.free > length) {
                byRoom.add(new Slot(slot.free - length, slot.bin));
            }
        }

        List<Bin> bins() {
            return IntStream.range(0, rows.size())
                    .mapToObj(bin -> new Bin(rows.get(bin).stream().mapToInt(Integer::intValue).toArray(), used.get(bin)))
                    .toList();
        }
    }
}
