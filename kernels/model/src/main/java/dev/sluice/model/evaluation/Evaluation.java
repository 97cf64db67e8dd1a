package dev.sluice.model.evaluation;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.LossOps;
import dev.sluice.model.BaseModel;
import dev.sluice.model.TokenRow;
import dev.sluice.model.decoder.Batch;
import dev.sluice.model.decoder.Decoder;
import dev.sluice.model.decoder.HostCopy;
import dev.sluice.model.lora.Adapter;
import java.util.Arrays;

/// Scores rows with a base model, with or without an adapter. Belongs to the backend's thread.
public final class Evaluation implements AutoCloseable {
    private final ScoringModel model;

    /// @param adapter null for the base model alone
    public Evaluation(BaseModel model, Adapter adapter) {
        this.model = new ScoringModel(model, adapter);
    }

    /// Likelihood and accuracy of one row's labels.
    ///
    /// @throws IllegalArgumentException if an id lies outside the vocabulary
    public RowScore score(TokenRow row) {
        Backend backend = model.backend();
        Decoder decoder = model.decoder();
        try (Scope step = backend.scope(Lifetime.STEP, "score")) {
            Batch batch = decoder.batch(step, row);
            Tensor hidden = decoder.hidden(batch, step);
            Tensor nll = step.allocate("nll", DType.FLOAT32, batch.tokens());
            Tensor predictions = step.allocate("predictions", DType.INT32, batch.tokens());
            try (Scope scratch = step.child("head")) {
                backend.loss().score(hidden, decoder.head(), batch.labels(), nll, predictions, scratch);
            }
            return score(row.labels(), HostCopy.floats(backend, nll), HostCopy.ints(backend, predictions));
        }
    }

    /// Logits of every token of a row, [tokens][vocabulary]. For small rows: the whole table is copied to the host.
    public float[][] logits(TokenRow row) {
        Backend backend = model.backend();
        Decoder decoder = model.decoder();
        try (Scope step = backend.scope(Lifetime.STEP, "logits")) {
            Batch batch = decoder.batch(step, row);
            Tensor hidden = decoder.hidden(batch, step);
            int vocabulary = Math.toIntExact(decoder.head().weight().out());
            int rank = decoder.head().rank();
            Tensor z = rank == 0 ? null : step.allocate("lora.z", backend.activationType(), batch.tokens(), rank);
            Tensor logits = step.allocate("logits", backend.activationType(), batch.tokens(), vocabulary);
            try (Scope scratch = step.child("head")) {
                backend.linear().forward(hidden, decoder.head(), z, logits, scratch);
            }
            float[] flat = HostCopy.floats(backend, logits);
            float[][] rows = new float[batch.tokens()][];
            Arrays.setAll(rows, token -> Arrays.copyOfRange(flat, token * vocabulary, (token + 1) * vocabulary));
            return rows;
        }
    }

    @Override
    public void close() {
        model.close();
    }

    private static RowScore score(int[] labels, float[] nll, int[] predictions) {
        int trained = 0;
        int correct = 0;
        double sum = 0;
        for (int i = 0; i < labels.length; i++) {
            if (labels[i] != LossOps.IGNORED) {
                trained++;
                sum += nll[i];
                correct += labels[i] == predictions[i] ? 1 : 0;
            }
        }
        return new RowScore(trained, sum, correct);
    }
}
