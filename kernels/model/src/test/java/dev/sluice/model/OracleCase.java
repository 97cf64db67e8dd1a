package dev.sluice.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sluice.model.training.Schedule;
import dev.sluice.model.training.TrainingSettings;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// A checkpoint, a starting adapter, token rows, and what transformers and peft made of them in float32.
public record OracleCase(Path folder, JsonNode expected) {
    public static OracleCase read(Path folder) {
        try {
            return new OracleCase(folder, new ObjectMapper().readTree(folder.resolve("expected.json").toFile()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public Path model() {
        return folder.resolve("model");
    }

    public Path adapterInit() {
        return folder.resolve("adapter-init");
    }

    public Path expectedFile(String name) {
        return folder.resolve("expected").resolve(name);
    }

    public List<TokenRow> train() {
        return rows("train");
    }

    public List<TokenRow> heldout() {
        return rows("heldout");
    }

    public int accumulate() {
        return expected.at("/settings/accumulate").intValue();
    }

    public int steps() {
        return expected.at("/settings/steps").intValue();
    }

    /// The micro-batches of one optimiser step.
    public List<TokenRow> window(int step) {
        return train().subList(step * accumulate(), (step + 1) * accumulate());
    }

    public TrainingSettings settings() {
        return TrainingSettings.of(expected.at("/settings/learning_rate").doubleValue(), Schedule.CONSTANT, 0, steps())
                .withWeightDecay(expected.at("/settings/weight_decay").doubleValue())
                .withMaxGradNorm(expected.at("/settings/clip").doubleValue());
    }

    public double number(String pointer) {
        return expected.at(pointer).doubleValue();
    }

    private List<TokenRow> rows(String field) {
        var rows = new ArrayList<TokenRow>();
        for (JsonNode row : expected.get(field)) {
            int[] ids = new int[row.get("ids").size()];
            boolean[] mask = new boolean[ids.length];
            for (int i = 0; i < ids.length; i++) {
                ids[i] = row.get("ids").get(i).intValue();
                mask[i] = row.get("mask").get(i).intValue() == 1;
            }
            rows.add(TokenRow.of(ids, mask));
        }
        return rows;
    }
}
