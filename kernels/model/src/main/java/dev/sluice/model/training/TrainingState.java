package dev.sluice.model.training;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sluice.compute.Backend;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.OptimizerState;
import dev.sluice.compute.op.ParameterArena;
import dev.sluice.model.InvalidFileException;
import dev.sluice.model.checkpoint.Floats;
import dev.sluice.model.files.Digests;
import dev.sluice.model.files.Folders;
import dev.sluice.model.json.JsonFields;
import dev.sluice.model.lora.AdapterLayout;
import dev.sluice.model.safetensors.SafetensorsFile;
import dev.sluice.model.safetensors.SafetensorsWriter;
import dev.sluice.model.safetensors.TensorEntry;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;

/// A run's state in a folder: `state.safetensors` with parameters and moments, `state.json` with the counters, what
/// run they belong to, and the hash of the former.
final class TrainingState {
    private static final String FORMAT = "sluice-training-state-1";
    private static final String TENSORS = "state.safetensors";
    static final String COUNTERS = "state.json";
    private static final String OPTIMIZER_STATE = "optimizer_state";
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Backend backend;
    private final ParameterArena parameters;
    private final OptimizerState optimizerState;
    private final String identity;

    TrainingState(Backend backend, ParameterArena parameters, AdapterLayout layout, TrainingSettings settings) {
        this.backend = backend;
        this.parameters = parameters;
        this.optimizerState = settings.optimizerState();
        this.identity = Digests.sha256(settings + "\n" + layout);
    }

    /// What is not a tensor.
    record Counters(long completedSteps, String cursor) {}

    static OptimizerState optimizerState(Path counters) {
        JsonFields fields = JsonFields.read(counters);
        String name = fields.text(OPTIMIZER_STATE, "");
        return Arrays.stream(OptimizerState.values()).filter(state -> word(state).equals(name)).findAny()
                .orElseThrow(() -> new InvalidFileException(counters, OPTIMIZER_STATE + " should be exact or lean, was \"" + name + "\""));
    }

    private static String word(OptimizerState state) {
        return state.name().toLowerCase(Locale.ROOT);
    }

    void save(Path folder, long completedSteps, String cursor) {
        Folders.replace(folder, temporary -> {
            writeTensors(temporary.resolve(TENSORS), cursor);
            ObjectNode counters = JSON.createObjectNode().put("format", FORMAT).put("run", identity)
                    .put(OPTIMIZER_STATE, word(optimizerState)).put("completed_steps", completedSteps).put("cursor", cursor)
                    .put("tensors_sha256", Digests.sha256(temporary.resolve(TENSORS)));
            Folders.writeForced(temporary.resolve(COUNTERS), JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(counters));
        });
    }

    Counters restore(Path folder) {
        JsonFields counters = JsonFields.read(folder.resolve(COUNTERS));
        require(counters.file(), counters.text("format", "").equals(FORMAT), "format should be " + FORMAT);
        OptimizerState saved = optimizerState(counters.file());
        require(counters.file(), saved == optimizerState, "it holds " + word(saved) + " optimizer state, the run has "
                + word(optimizerState) + "; go on with optimizer_state " + word(saved) + ", or begin anew");
        require(counters.file(), counters.text("run", "").equals(identity),
                "it belongs to a run with other settings or another adapter layout");
        int completed = counters.integer("completed_steps", 0, Integer.MAX_VALUE);
        Path tensors = folder.resolve(TENSORS);
        try (var arena = Arena.ofConfined()) {
            var file = SafetensorsFile.open(tensors, arena);
            require(tensors, Digests.sha256(tensors).equals(counters.text("tensors_sha256", "")),
                    "its SHA-256 is not the one in " + COUNTERS + ": the file is damaged");
            parameters.state().forEach((name, tensor) -> requireFits(file, name, tensor));
            parameters.state().forEach((name, tensor) -> backend.upload(file.data(file.tensors().get(name)), tensor));
            refreshComputeCopy(arena);
        } catch (IOException e) {
            throw new InvalidFileException(tensors, "cannot be read: " + e.getMessage(), e);
        }
        return new Counters(completed, counters.text("cursor", null));
    }

    /// Backends may keep a rounded copy of the parameters for their kernels; writing the exact ones renews it.
    private void refreshComputeCopy(Arena arena) {
        MemorySegment exact = arena.allocate(parameters.size() * Float.BYTES, Long.BYTES);
        parameters.read(exact);
        parameters.write(exact);
        backend.synchronize();
    }

    /// The cursor's hash goes along, so that two callers' files are never the same file in a store that goes by content.
    private void writeTensors(Path file, String cursor) throws IOException {
        try (var arena = Arena.ofConfined()) {
            var contents = new ArrayList<SafetensorsWriter.Content>();
            parameters.state().forEach((name, tensor) -> {
                MemorySegment host = arena.allocate(tensor.bytes(), Long.BYTES);
                backend.download(tensor, host);
                contents.add(new SafetensorsWriter.Content(name, Floats.stored(tensor.dtype()), tensor.shape(), host));
            });
            SafetensorsWriter.write(file, Map.of("format", FORMAT, "cursor_sha256", Digests.sha256(cursor)), contents);
        }
    }

    private static void requireFits(SafetensorsFile file, String name, Tensor tensor) {
        TensorEntry entry = file.tensors().get(name);
        require(file.path(), entry != null, "tensor " + name + " is missing");
        require(file.path(), entry.type() == Floats.stored(tensor.dtype()) && Arrays.equals(entry.shape(), tensor.shape()),
                "tensor " + entry + " should be " + tensor);
    }

    private static void require(Path file, boolean holds, String reason) {
        if (!holds) {
            throw new InvalidFileException(file, reason);
        }
    }
}
