package dev.sluice.compute.probe;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/// Every operation that a backend offers, on cases drawn from a seed.
public final class Trials {
    private static final List<Function<Ragged, Trial>> OPERATIONS = List.of(SimpleTrials::embed, SimpleTrials::add, SimpleTrials::gated,
            SimpleTrials::scale, SimpleTrials::columns, SimpleTrials::zero, SimpleTrials::rmsNorm, SimpleTrials::addRmsNorm,
            SimpleTrials::rotate, SimpleTrials::normRotate, LinearTrials::linear, LinearTrials::ofOneInput, LinearTrials::crossEntropy,
            LinearTrials::score, AttentionTrials::attention, ExpertTrials::route, ExpertTrials::routeInGroups, ExpertTrials::routerBackward,
            ExpertTrials::experts, ExpertTrials::oneExpert, ExpertTrials::biasedExperts, SimpleTrials::adamw);

    private Trials() {}

    public static List<Trial> drawn(long seed, int cases) {
        var trials = new ArrayList<Trial>();
        var ragged = new Ragged(seed);
        for (Function<Ragged, Trial> operation : OPERATIONS) {
            for (int i = 0; i < cases; i++) {
                trials.add(operation.apply(ragged));
            }
        }
        return trials;
    }
}
