package dev.sluice.model.decoder;

import dev.sluice.compute.Backend;
import dev.sluice.compute.MemoryStatus;
import dev.sluice.compute.OutOfMemoryException;
import dev.sluice.compute.op.OptimizerState;
import dev.sluice.model.BaseModel;
import dev.sluice.model.Quantization;
import dev.sluice.model.checkpoint.CountedWeights;
import dev.sluice.model.checkpoint.WeightLoader;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.Families;
import dev.sluice.model.config.Family;
import dev.sluice.model.json.JsonFields;
import dev.sluice.model.lora.AdapterLayout;
import dev.sluice.model.lora.LoraSettings;
import java.nio.file.Path;

/// What a training run will take on a backend. Before anything is loaded it is known from `config.json` and the headers of weight files.
public final class MemoryPlan {
    private final long weightBytes;
    private final OptimizerState optimizerState;
    private final DryStep step;

    private MemoryPlan(Backend backend, DecoderConfig config, CountedWeights weights, AdapterLayout layout) {
        this(weights.bytes(), OptimizerState.EXACT, new DryStep(backend, config, weights.weights(), layout));
    }

    private MemoryPlan(long weightBytes, OptimizerState optimizerState, DryStep step) {
        this.weightBytes = weightBytes;
        this.optimizerState = optimizerState;
        this.step = step;
    }

    /// The same run with another state of the optimiser; plans begin with [OptimizerState#EXACT].
    public MemoryPlan with(OptimizerState state) {
        return new MemoryPlan(weightBytes, state, step);
    }

    /// The plan for a checkpoint that is not loaded.
    ///
    /// @throws dev.sluice.model.InvalidFileException if `config.json` makes no sense or the files are damaged
    /// @throws dev.sluice.model.UnsupportedModelException if the backend does not multiply with the quantisation
    public static MemoryPlan of(Path modelFolder, Backend backend, Quantization quantization, LoraSettings settings) {
        JsonFields fields = Families.config(modelFolder);
        Family family = Families.of(fields);
        DecoderConfig config = family.read(fields);
        return new MemoryPlan(backend, config, WeightLoader.count(modelFolder, config, family.names(), backend, quantization),
                AdapterLayout.of(config, family.names(), settings));
    }

    /// The plan for a model of which there is only `config.json`.
    ///
    /// @throws dev.sluice.model.InvalidFileException if `config.json` makes no sense
    /// @throws dev.sluice.model.UnsupportedModelException if the backend does not multiply with the quantisation
    public static MemoryPlan ofShape(Path modelFolder, Backend backend, Quantization quantization, LoraSettings settings) {
        JsonFields fields = Families.config(modelFolder);
        Family family = Families.of(fields);
        DecoderConfig config = family.read(fields);
        return new MemoryPlan(backend, config, WeightLoader.count(fields, config, family.names(), backend, quantization),
                AdapterLayout.of(config, family.names(), settings));
    }

    /// The plan for a model that is loaded.
    public static MemoryPlan of(BaseModel model, LoraSettings settings) {
        return new MemoryPlan(model.backend(), model.config(), new CountedWeights(model.weights(), model.bytes()),
                AdapterLayout.of(model.config(), model.names(), settings));
    }

    /// Base weights, for the life of the process.
    public long weightBytes() {
        return weightBytes;
    }

    /// Trainable numbers.
    public long adapterParameters() {
        return step.layout().parameters();
    }

    /// Parameters, gradients and both moments, for the run.
    public long adapterBytes() {
        return optimizerState.bytes(step.layout().size(), step.backend().activationType());
    }

    public OptimizerState optimizerState() {
        return optimizerState;
    }

    /// Most bytes at one time of a micro-batch of that many tokens.
    public long stepBytes(int tokens, ActivationPolicy policy) {
        return step.measure(tokens, policy).step();
    }

    /// Bytes of the host's memory for inputs that wait there, beside [#totalBytes]; 0 where the backend's memory is the host's.
    public long hostBytes(int tokens, ActivationPolicy policy) {
        return step.measure(tokens, policy).host();
    }

    /// Most bytes at one time of everything together, in the backend's memory.
    public long totalBytes(int tokens, ActivationPolicy policy) {
        DryStep.Bytes bytes = step.measure(tokens, policy);
        return Math.addExact(Math.addExact(weightBytes, adapterBytes()), Math.addExact(bytes.step(), bytes.tables()));
    }

    /// The same level in all layers.
    public ActivationPolicy uniform(ActivationLevel level) {
        return ActivationPolicy.uniform(level, step.config().layers());
    }

    /// What layers keep so that micro-batches of that many tokens fit.
    ///
    /// @param memory of the backend, with as many free bytes as if the base model was not loaded
    /// @throws OutOfMemoryException with the numbers if they cannot fit, be it into the backend's memory or the host's
    public ActivationChoice choose(int tokens, MemoryWish wish, MemoryStatus memory) {
        long limit = wish.budgetBytes() == null ? memory.freeBytes() : Math.min(wish.budgetBytes(), memory.freeBytes());
        long generous = wish.budgetBytes() == null ? limit - step.backend().reserve() : limit;
        var knapsack = new ActivationKnapsack(step.config(), step.layout(), candidate -> totalBytes(tokens, candidate) <= generous);
        ActivationPolicy policy = wish.level() != null ? possible(wish.level()) : step.spills() ? knapsack.fillOrSpill() : knapsack.fill();
        long total = totalBytes(tokens, policy);
        var choice = new ActivationChoice(policy, this, tokens, total, Math.max(generous, total), hostBytes(tokens, policy));
        if (total > limit) {
            throw new OutOfMemoryException("training with " + choice.describe(), total, limit);
        }
        requireHost(choice);
        return choice;
    }

    /// Where host memory is the backend's own, the input lies in it at either level.
    private ActivationPolicy possible(ActivationLevel level) {
        return uniform(level == ActivationLevel.HOST && !step.spills() ? ActivationLevel.INPUT : level);
    }

    private void requireHost(ActivationChoice choice) {
        long free = step.backend().hostMemory().freeBytes();
        if (choice.hostBytes() > free) {
            throw new OutOfMemoryException("host memory for inputs of layers, in training with " + choice.describe() + ",",
                    choice.hostBytes(), free);
        }
    }
}
