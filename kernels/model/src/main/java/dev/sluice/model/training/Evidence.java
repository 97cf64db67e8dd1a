package dev.sluice.model.training;

import dev.sluice.compute.op.LossOps;
import dev.sluice.model.TokenRow;
import dev.sluice.model.training.StepReport.ExpertLoad;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/// What the data of a step says about gradients that cannot be zero.
///
/// @param conclusive whether anything can be concluded: attention's queries and keys have a gradient only where a trained token
///     sees more than itself
/// @param experts by layer, the experts that certainly worked for a token that is trained on
record Evidence(boolean conclusive, Map<Integer, boolean[]> experts) {
    /// An expert that was picked more often than there are untrained tokens was picked by a trained one, since a token's picks
    /// differ.
    static Evidence of(List<TokenRow> rows, List<ExpertLoad> loads) {
        long untrained = rows.stream().mapToLong(row -> row.tokens() - row.trainedTokens()).sum();
        return new Evidence(rows.stream().anyMatch(Evidence::looksBack), loads.stream().collect(Collectors.toMap(ExpertLoad::layer, load -> {
            boolean[] certain = new boolean[load.picks().length];
            for (int expert = 0; expert < certain.length; expert++) {
                certain[expert] = load.picks()[expert] > untrained;
            }
            return certain;
        })));
    }

    private static boolean looksBack(TokenRow row) {
        int[] labels = row.labels();
        int[] positions = row.positions();
        for (int i = 0; i < labels.length; i++) {
            if (labels[i] != LossOps.IGNORED && positions[i] > 0) {
                return true;
            }
        }
        return false;
    }

    /// Whether an expert certainly took part. Layers without experts have nothing uncertain.
    boolean certain(int layer, int expert) {
        return !experts.containsKey(layer) || expert >= experts.get(layer).length || experts.get(layer)[expert];
    }
}
