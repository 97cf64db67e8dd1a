package dev.sluice.text.packing;

/// Rows that share one sequence.
///
/// @param rows   indices of the rows, in the order in which they stand in the sequence
/// @param tokens the sum of their lengths
public record Bin(int[] rows, int tokens) {

    public Bin {
        if (rows.length == 0) {
            throw new IllegalArgumentException("A bin holds at least one row.");
        }
    }
}
