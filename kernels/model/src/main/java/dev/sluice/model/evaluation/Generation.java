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
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/// Greedy decoding of sample answers. Every new token recomputes its prefix, packed with the other prompts': exact and
/// simple, meant for tens of answers of a small model. Belongs to the backend's thread.
public final class Generation implements AutoCloseable {
    private final ScoringModel model;

    /// @param adapter null for the base model alone
    public Generation(BaseModel model, Adapter adapter) {
        this.model = new ScoringModel(model, adapter);
    }

    /// The most likely continuation of every prompt, token by token; ties go to the lower id.
    ///
    /// @param prompts token ids, none empty
    /// @param maxNewTokens most tokens of one answer
    /// @param stopTokens ids that end an answer; not part of it
    /// @return one answer per prompt, in order
    public List<int[]> greedy(List<int[]> prompts, int maxNewTokens, Set<Integer> stopTokens) {
        var answers = new ArrayList<Answer>();
        prompts.forEach(prompt -> answers.add(new Answer(prompt)));
        for (int i = 0; i < maxNewTokens; i++) {
            List<Answer> open = answers.stream().filter(answer -> !answer.done).toList();
            if (open.isEmpty()) {
                break;
            }
            int[] next = next(open);
            for (int j = 0; j < next.length; j++) {
                open.get(j).take(next[j], stopTokens);
            }
        }
        return answers.stream().map(Answer::generated).toList();
    }

    @Override
    public void close() {
        model.close();
    }

    /// The most likely next token of every answer: one packed pass, the head only for the last tokens.
    private int[] next(List<Answer> answers) {
        Backend backend = model.backend();
        Decoder decoder = model.decoder();
        TokenRow row = TokenRow.concatenate(answers.stream().map(Answer::row).toList());
        try (Scope step = backend.scope(Lifetime.STEP, "generate")) {
            Batch batch = decoder.batch(step, row);
            Tensor hidden = decoder.hidden(batch, step);
            Tensor last = upload(step, "last", Arrays.stream(row.boundaries()).skip(1).map(end -> end - 1).toArray());
            Tensor labels = upload(step, "labels", answers.stream().mapToInt(_ -> LossOps.IGNORED).toArray());
            Tensor lastHidden = step.allocate("last.hidden", hidden.dtype(), answers.size(), hidden.dim(1));
            backend.elementwise().embed(last, hidden, lastHidden);
            Tensor nll = step.allocate("nll", DType.FLOAT32, answers.size());
            Tensor predictions = step.allocate("predictions", DType.INT32, answers.size());
            try (Scope scratch = step.child("head")) {
                backend.loss().score(lastHidden, decoder.head(), labels, nll, predictions, scratch);
            }
            return HostCopy.ints(backend, predictions);
        }
    }

    private Tensor upload(Scope step, String name, int[] values) {
        return Batch.upload(model.backend(), step, name, values);
    }

    /// A prompt and what has been generated behind it.
    private static final class Answer {
        private final int promptLength;
        private int[] ids;
        private boolean done;

        Answer(int[] prompt) {
            this.promptLength = prompt.length;
            this.ids = prompt.clone();
        }

        void take(int token, Set<Integer> stopTokens) {
            done = stopTokens.contains(token);
            if (!done) {
                ids = Arrays.copyOf(ids, ids.length + 1);
                ids[ids.length - 1] = token;
            }
        }

        TokenRow row() {
            return TokenRow.of(ids, new boolean[ids.length]);
        }

        int[] generated() {
            return Arrays.copyOfRange(ids, promptLength, ids.length);
        }
    }
}
