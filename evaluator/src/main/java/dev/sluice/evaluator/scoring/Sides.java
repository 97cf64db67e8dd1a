package dev.sluice.evaluator.scoring;

import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.evaluation.Score;
import dev.sluice.contracts.job.ModelRef;
import dev.sluice.contracts.store.ArtifactStore;
import dev.sluice.evaluator.answer.Answering;
import dev.sluice.evaluator.answer.Question;
import dev.sluice.evaluator.device.Device;
import dev.sluice.evaluator.failure.EvaluationException;
import dev.sluice.evaluator.failure.Failure;
import dev.sluice.model.BaseModel;
import dev.sluice.model.InvalidFileException;
import dev.sluice.model.evaluation.Evaluation;
import dev.sluice.model.evaluation.Generation;
import dev.sluice.model.evaluation.RowScore;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.peft.AdapterReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Makes the sides of comparisons and remembers the latest: the base model is scored once for all adapters of a suite,
/// and a candidate that became champion is not scored again. Lives on the device's thread.
public final class Sides {

    private static final int REMEMBERED = 8;

    private final Device device;
    private final ArtifactStore store;
    private final Path scratch;
    private final Runnable beat;
    private final Map<Key, Side> latest = new LinkedHashMap<>(REMEMBERED, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Key, Side> eldest) {
            return size() > REMEMBERED;
        }
    };

    private record Key(ModelRef model, String adapterId, String suite, int questions) {}

    /// @param beat called after every row; may throw to end the evaluation
    public Sides(Device device, ArtifactStore store, Path scratch, Runnable beat) {
        this.device = device;
        this.store = store;
        this.scratch = scratch;
        this.beat = beat;
    }

    /// The base model alone.
    public Side base(ModelRef ref, Suite suite, List<Question> questions, Answering answering) {
        var key = new Key(ref, Score.BASE, suite.id(), questions.size());
        Side known = latest.get(key);
        return known != null ? known : remember(key, make(device.model(ref), null, suite, questions, answering));
    }

    /// The base model with an adapter.
    ///
    /// @throws IOException when the adapter's files are missing, damaged or out of reach
    /// @throws EvaluationException when they are whole and make no adapter of this model
    public Side adapted(AdapterPublished adapter, Suite suite, List<Question> questions, Answering answering) throws IOException {
        var key = new Key(adapter.baseModel(), adapter.adapterId(), suite.id(), questions.size());
        Side known = latest.get(key);
        if (known != null) {
            return known;
        }
        BaseModel model = device.model(adapter.baseModel());
        try (AdapterFolder folder = AdapterFolder.fetch(store, adapter.files(), scratch)) {
            return remember(key, make(model, read(model, folder, adapter), suite, questions, answering));
        }
    }

    private static Adapter read(BaseModel model, AdapterFolder folder, AdapterPublished adapter) {
        try {
            return AdapterReader.read(model, folder.path());
        } catch (InvalidFileException e) {
            throw new EvaluationException(new Failure.Unscorable("the files of adapter " + adapter.adapterId() + " make no adapter of "
                    + adapter.baseModel().uri() + ": " + e.getMessage().replace(folder.path() + "/", "") + "; train it again"));
        }
    }

    private Side remember(Key key, Side side) {
        latest.put(key, side);
        return side;
    }

    private Side make(BaseModel model, Adapter adapter, Suite suite, List<Question> questions, Answering answering) {
        List<RowScore> rows = new ArrayList<>();
        try (var evaluation = new Evaluation(model, adapter)) {
            for (var row : suite.rows()) {
                rows.add(evaluation.score(Suite.tokenRow(row)));
                beat.run();
            }
        }
        if (questions.isEmpty()) {
            return new Side(rows, List.of());
        }
        try (var generation = new Generation(model, adapter)) {
            return new Side(rows, answering.answer(generation, questions, beat));
        }
    }
}
