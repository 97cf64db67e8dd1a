package dev.sluice.model.evaluation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.sluice.model.BaseModel;
import dev.sluice.model.Golden;
import dev.sluice.model.OracleCase;
import dev.sluice.model.TokenRow;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.peft.AdapterReader;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class GenerationTest {
    private final OracleCase golden = Golden.read(Golden.DENSE_LAYERS);

    @Test
    void everyTokenIsTheMostLikelyAfterItsPrefix() {
        int[] prompt = Arrays.copyOf(golden.train().getFirst().ids(), 6);
        int[] other = Arrays.copyOf(golden.train().get(1).ids(), 9);
        try (var backend = Golden.cpu(); var model = BaseModel.load(golden.model(), backend)) {
            Adapter adapter = AdapterReader.read(model, golden.adapterInit());
            try (var generation = new Generation(model, adapter); var evaluation = new Evaluation(model, adapter)) {
                List<int[]> answers = generation.greedy(List.of(prompt, other), 5, Set.of());
                assertArrayEquals(byLogits(evaluation, prompt, 5), answers.getFirst());
                assertArrayEquals(byLogits(evaluation, other, 5), answers.getLast());
                int stop = answers.getFirst()[2];
                int[] stopped = generation.greedy(List.of(prompt), 5, Set.of(stop)).getFirst();
                assertEquals(2, stopped.length);
            }
        }
    }

    private static int[] byLogits(Evaluation evaluation, int[] prompt, int count) {
        int[] ids = prompt;
        for (int i = 0; i < count; i++) {
            float[] last = evaluation.logits(TokenRow.of(ids, new boolean[ids.length]))[ids.length - 1];
            int best = 0;
            for (int id = 1; id < last.length; id++) {
                best = last[id] > last[best] ? id : best;
            }
            ids = Arrays.copyOf(ids, ids.length + 1);
            ids[ids.length - 1] = best;
        }
        return Arrays.copyOfRange(ids, prompt.length, ids.length);
    }

    @Test
    void accuracyCountsTheLabelsThatAreMostLikely() {
        TokenRow row = golden.heldout().getFirst();
        try (var backend = Golden.cpu(); var model = BaseModel.load(golden.model(), backend);
                var evaluation = new Evaluation(model, null)) {
            float[][] logits = evaluation.logits(row);
            int correct = 0;
            for (int i = 0; i < row.tokens(); i++) {
                int label = row.labels()[i];
                if (label >= 0) {
                    float chosen = logits[i][label];
                    boolean best = true;
                    for (float logit : logits[i]) {
                        best &= logit <= chosen;
                    }
                    correct += best ? 1 : 0;
                }
            }
            assertEquals(correct, evaluation.score(row).correct());
        }
    }
}
