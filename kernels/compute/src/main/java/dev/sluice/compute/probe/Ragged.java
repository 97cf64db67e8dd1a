package dev.sluice.compute.probe;

import java.util.SplittableRandom;
import java.util.stream.IntStream;

/// Sizes that tiles do not divide, and some that they do.
final class Ragged {
    private static final int[] ROWS = {1, 2, 63, 64, 65, 127, 128, 129};
    private static final int[] WIDTHS = {16, 24, 40, 64, 72, 128, 200, 256};
    private static final int[] RANKS = {4, 8, 16, 32, 64};
    private static final int LONGEST = 400;

    private final SplittableRandom random;

    Ragged(long seed) {
        this.random = new SplittableRandom(seed);
    }

    int rows() {
        return random.nextInt(4) == 0 ? random.nextInt(1, LONGEST) : of(ROWS);
    }

    int width() {
        return of(WIDTHS);
    }

    int rank() {
        return of(RANKS);
    }

    int of(int... choices) {
        return choices[random.nextInt(choices.length)];
    }

    /// From 1 to `most`.
    int upTo(int most) {
        return random.nextInt(1, most + 1);
    }

    /// Lengths of some documents, single tokens among them. The first is longer: a token that sees only itself has no gradient, and
    /// of nothing but such ones no relative error can be told.
    int[] documents() {
        return IntStream.range(0, upTo(4)).map(i -> i == 0 ? of(63, 64, 65, 129) : random.nextBoolean() ? rows() : upTo(20)).toArray();
    }
}
