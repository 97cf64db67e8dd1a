package dev.sluice.model.training;

import dev.sluice.model.training.StepReport.ExpertLoad;
import java.util.ArrayList;
import java.util.List;

/// Adds up over micro-batches how often each expert was picked.
final class ExpertLoadCounter {
    private final List<ExpertLoad> counts = new ArrayList<>();

    /// @param offsetCounts experts + 1 per layer, 0 for layers without experts
    ExpertLoadCounter(int[] offsetCounts) {
        for (int layer = 0; layer < offsetCounts.length; layer++) {
            if (offsetCounts[layer] > 0) {
                counts.add(new ExpertLoad(layer, new long[offsetCounts[layer] - 1]));
            }
        }
    }

    /// @param offsets expert boundaries of all sparse layers behind one another
    void add(int[] offsets) {
        int at = 0;
        for (ExpertLoad layer : counts) {
            for (int expert = 0; expert < layer.picks().length; expert++, at++) {
                layer.picks()[expert] += offsets[at + 1] - offsets[at];
            }
            at++;
        }
    }

    List<ExpertLoad> counts() {
        return counts;
    }
}
