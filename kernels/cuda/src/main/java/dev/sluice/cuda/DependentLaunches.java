package dev.sluice.cuda;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/// Which kernels' blocks may become resident while the grid before them drains (programmatic dependent launch): between two kernels there is else
/// a microsecond or more in which nothing runs. Results do not depend on it, because every kernel waits for the grid before it touches memory:
/// `wait_for_prerequisite_grids` in `ptx.cuh` says why that is enough.
final class DependentLaunches {
    /// How it is chosen for performance work: `-Dsluice.cuda.dependent=off`, `spread` or `all`.
    static final String PROPERTY = "sluice.cuda.dependent";
    /// Kernels compiled for less do not wait.
    private static final int CAPABILITY = 90;
    /// With more shared memory than kernels may have unasked, blocks work on large tiles: few fit a multiprocessor, and they end one by one.
    private static final int LARGE_TILES = 48 * 1024;

    private final Rule rule;
    private final int multiprocessors;
    private Grid last;
    private long count;

    enum Rule {
        /// Every kernel begins when the one before has ended.
        OFF,
        /// All kernels but those that would crowd.
        SPREAD,
        /// All kernels.
        ALL;

        static Rule wanted() {
            String wanted = System.getProperty(PROPERTY, "spread");
            return Arrays.stream(values()).filter(rule -> rule.text().equals(wanted)).findFirst().orElseThrow(() -> new IllegalArgumentException(
                    PROPERTY + " should be one of " + Arrays.stream(values()).map(Rule::text).collect(Collectors.joining(", ")) + ", is " + wanted));
        }

        private String text() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /// @param resident how many blocks fit a multiprocessor
    record Grid(long blocks, int resident, int sharedBytes) {}

    /// @param compiledFor compute capability times ten that the kernels were compiled for
    DependentLaunches(Rule rule, int compiledFor, int multiprocessors) {
        this.rule = compiledFor >= CAPABILITY ? rule : Rule.OFF;
        this.multiprocessors = multiprocessors;
    }

    /// Whether the next kernel of the stream is launched so; to be asked once for each.
    boolean next(Grid grid) {
        boolean dependent = last != null && allowed(last, grid);
        last = grid;
        if (dependent) {
            count++;
        }
        return dependent;
    }

    /// The stream is given something else than a kernel: the next kernel waits for that and all before it.
    void interrupt() {
        last = null;
    }

    /// How many kernels were launched so.
    long count() {
        return count;
    }

    private boolean allowed(Grid before, Grid grid) {
        return switch (rule) {
            case OFF -> false;
            case SPREAD -> !crowds(before, grid);
            case ALL -> true;
        };
    }

    /// Large tiles leave no room beside them and end one by one. A grid that does not fill the device would then settle on the first few
    /// multiprocessors to fall free, where after the end of them all it spreads over all, and lose more than the gap.
    private boolean crowds(Grid before, Grid grid) {
        return before.sharedBytes > LARGE_TILES && grid.resident > 1 && grid.blocks < (long) multiprocessors * grid.resident;
    }
}
