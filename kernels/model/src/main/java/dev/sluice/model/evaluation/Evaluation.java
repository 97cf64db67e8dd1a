package dev.sluice.model.evaluation;

import dev.sluice.model.BaseModel;
import dev.sluice.model.TokenRow;
import dev.sluice.model.lora.Adapter;

/// Scores rows with a base model, with or without an adapter. Belongs to the backend's thread.
public final class Evaluation implements AutoCloseable {
    /// @param adapter null for the base model alone
    public Evaluation(BaseModel model, Adapter adapter) {
        throw new UnsupportedOperationException("comes with the decoder");
    }

    /// Likelihood and accuracy of one row's labels.
    public RowScore score(TokenRow row) {
        throw new UnsupportedOperationException();
    }

    /// Logits of every token of a row, [tokens][vocabulary]. For small rows: the whole table is copied to the host.
    public float[][] logits(TokenRow row) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void close() {
        throw new UnsupportedOperationException();
    }
}
