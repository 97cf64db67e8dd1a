package dev.sluice.text.template;

import java.time.Duration;

/// What one rendering may cost. Templates come with models from strangers: an endless loop or a doubling string must
/// stop with an error.
///
/// Steps and characters are counted the same on every machine, so they alone decide in practice; time is the last resort
/// and counts the processor time of the rendering thread, so that a busy or paused machine refuses nothing.
///
/// @param steps      statements, expressions and visited elements
/// @param characters UTF-16 units that strings made on the way may have in all
/// @param output     UTF-16 units of the rendered text
/// @param depth      macros inside macros
/// @param time       processor time
public record Budget(long steps, long characters, int output, int depth, Duration time) {

    /// Enough for conversations of a million characters.
    public static final Budget DEFAULT = new Budget(1_000_000, 64 << 20, 8 << 20, 64, Duration.ofMillis(500));

    public Budget {
        if (steps < 1 || characters < 1 || output < 1 || depth < 1 || !time.isPositive()) {
            throw new IllegalArgumentException("Every part of a template's budget must be positive, but it is " + steps
                    + " steps, " + characters + " characters, " + output + " of output, depth " + depth + ", " + time + ".");
        }
    }
}
