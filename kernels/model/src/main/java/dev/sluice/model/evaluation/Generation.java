package dev.sluice.model.evaluation;

import dev.sluice.model.BaseModel;
import dev.sluice.model.lora.Adapter;
import java.util.List;
import java.util.Set;

/// Greedy decoding of sample answers. Every new token recomputes its prefix, packed with the other prompts': exact and
/// simple, meant for tens of answers of a small model. Belongs to the backend's thread.
public final class Generation implements AutoCloseable {
    /// @param adapter null for the base model alone
    public Generation(BaseModel model, Adapter adapter) {
        throw new UnsupportedOperationException("comes with the decoder");
    }

    /// The most likely continuation of every prompt, token by token; ties go to the lower id.
    ///
    /// @param prompts token ids, none empty
    /// @param maxNewTokens most tokens of one answer
    /// @param stopTokens ids that end an answer; not part of it
    /// @return one answer per prompt, in order
    public List<int[]> greedy(List<int[]> prompts, int maxNewTokens, Set<Integer> stopTokens) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void close() {
        throw new UnsupportedOperationException();
    }
}
