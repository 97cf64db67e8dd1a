package dev.sluice.model.training;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Replay;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.OptimizerOps.AdamW;
import dev.sluice.compute.op.OptimizerState;
import dev.sluice.compute.op.ParameterArena;
import dev.sluice.model.BaseModel;
import dev.sluice.model.TokenRow;
import dev.sluice.model.decoder.ActivationLevel;
import dev.sluice.model.decoder.ActivationPolicy;
import dev.sluice.model.decoder.Decoder;
import dev.sluice.model.decoder.HostCopy;
import dev.sluice.model.decoder.LoraBinding;
import dev.sluice.model.decoder.TrainingPass;
import dev.sluice.model.decoder.Workloads;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.training.StepReport.ExpertLoad;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;

/// One training run: an adapter, its gradients and its optimiser on a backend. Belongs to the backend's thread.
///
/// The same model, adapter, settings and rows give the same bits on the CPU, and a restored run goes on as if it had
/// never stopped.
public final class LoraTraining implements AutoCloseable {
    /// The small one of the files that [#save] writes.
    public static final String COUNTERS = TrainingState.COUNTERS;

    private final Backend backend;
    private final Adapter start;
    private final TrainingSettings settings;
    private final Scope run;
    private final ParameterArena parameters;
    private final Tensor norm;
    private final Decoder decoder;
    private final TrainingPass pass;
    private Replay replay = Replay.NONE;
    private FirstSteps proof;
    private long completed;
    private long peakStepBytes;

    /// Keeps no more of a layer than its input.
    ///
    /// @throws dev.sluice.compute.OutOfMemoryException with the numbers if the run's state does not fit
    public LoraTraining(BaseModel model, Adapter adapter, TrainingSettings settings) {
        this(model, adapter, settings, ActivationPolicy.uniform(ActivationLevel.INPUT, model.config().layers()));
    }

    /// Starts at step 0 from the adapter's numbers; the adapter itself is not changed.
    ///
    /// @param policy what layers keep for the backward pass; the numbers that are trained do not depend on it
    /// @throws dev.sluice.compute.OutOfMemoryException with the numbers if the run's state does not fit
    public LoraTraining(BaseModel model, Adapter adapter, TrainingSettings settings, ActivationPolicy policy) {
        this.backend = model.backend();
        this.start = adapter;
        this.settings = settings;
        this.run = backend.scope(Lifetime.RUN, "training");
        try {
            this.parameters = backend.optimizer().arena(run, adapter.layout().size(), settings.optimizerState());
            this.norm = run.allocate("gradient norm", DType.FLOAT32, 1);
        } catch (RuntimeException e) {
            run.close();
            throw e;
        }
        parameters.write(adapter.values());
        var binding = new LoraBinding(adapter.layout(), parameters.values(), parameters.gradients());
        this.decoder = new Decoder(model, binding);
        this.pass = new TrainingPass(decoder, adapter.layout(), policy);
    }

    /// Has the coming steps checked, until it is certain that the backend's kernels run and that every matrix of the adapter is
    /// trained: for two steps as a rule. It costs two or three copies of the gradients to the host.
    public void proveFirstSteps() {
        proof = new FirstSteps(backend, start.layout(), parameters);
    }

    /// From now on, what the device does for a micro-batch is recorded where the backend can, and replayed for others of the same
    /// size. The numbers are the same; it saves the time that launching takes.
    public void replaySteps() {
        replay.close();
        replay = backend.replay();
    }

    /// Micro-batches that were replayed.
    public long replayed() {
        return replay.replayed();
    }

    /// One optimiser step over some micro-batches; their gradients accumulate. The loss is the mean over all their
    /// trained tokens together.
    ///
    /// @throws IllegalArgumentException if there is nothing to train on in any of them, or an id is outside the vocabulary
    /// @throws NonFiniteLossException if loss or gradient are not finite; the update was skipped
    /// @throws dev.sluice.compute.BackendFaultException if the step is one of the first and does not train
    public StepReport step(List<TokenRow> microBatches) {
        long began = System.nanoTime();
        long trained = microBatches.stream().mapToLong(TokenRow::trainedTokens).sum();
        if (trained == 0) {
            throw new IllegalArgumentException("training step " + (completed + 1) + ": none of the " + microBatches.size()
                    + " rows has a token to train on; leave out rows whose mask is empty");
        }
        if (proof != null) {
            proof.beforeStep();
        }
        var load = new ExpertLoadCounter(pass.offsetCounts());
        double nll = 0;
        for (TokenRow row : microBatches) {
            nll += accumulate(row, trained, load);
        }
        double loss = nll / trained;
        double rate = settings.learningRate()
                * settings.schedule().factor(completed, settings.warmupSteps(), settings.totalSteps());
        double gradNorm = proof == null ? update(loss, rate) : provenUpdate(microBatches, load.counts(), loss, rate);
        return new StepReport(completed, loss, gradNorm, rate, trained, microBatches.stream().mapToLong(TokenRow::tokens).sum(),
                (System.nanoTime() - began) / 1e6, load.counts());
    }

    /// Optimiser steps done.
    public long completedSteps() {
        return completed;
    }

    /// Most bytes that a micro-batch has taken so far, backend scratch included.
    public long peakStepBytes() {
        return peakStepBytes;
    }

    /// Bytes of the host's memory that inputs of layers have taken so far, where the policy puts them there.
    public long hostBytes() {
        return pass.hostBytes();
    }

    /// Most bytes that the run has held at once so far, in the backend's memory: adapter, optimiser, rotation tables and the largest micro-batch. The
    /// base model's come on top.
    public long peakBytes() {
        return run.bytes() + decoder.bytes() + peakStepBytes;
    }

    /// The adapter as it is now, copied to the host.
    public Adapter adapter() {
        MemorySegment values = Arena.ofAuto().allocate(start.layout().size() * Float.BYTES, Long.BYTES);
        parameters.read(values);
        return start.withValues(values);
    }

    /// Writes everything that is needed to go on bit-identically. The folder appears whole or not at all; an existing
    /// one is replaced.
    ///
    /// @param cursor the caller's place in its data, kept and handed back by [#restore]
    public void save(Path folder, String cursor) {
        new TrainingState(backend, parameters, start.layout(), settings).save(folder, completed, cursor);
    }

    /// Replaces this run's state by a saved one of the same adapter layout and settings. That the base model is the same
    /// too is for the caller to know, by its hash.
    ///
    /// @return the cursor that was saved
    /// @throws dev.sluice.model.InvalidFileException if the folder is damaged or belongs to another run; this run's
    ///     state is then unchanged
    public String restore(Path folder) {
        var saved = new TrainingState(backend, parameters, start.layout(), settings).restore(folder);
        completed = saved.completedSteps();
        return saved.cursor();
    }

    /// What the run that was saved in a folder keeps of every parameter. Only one with the same can go on from there.
    ///
    /// @param counters the folder's [#COUNTERS]
    /// @throws dev.sluice.model.InvalidFileException if it is damaged
    public static OptimizerState savedOptimizerState(Path counters) {
        return TrainingState.optimizerState(counters);
    }

    @Override
    public void close() {
        replay.close();
        pass.close();
        decoder.close();
        run.close();
    }

    private double accumulate(TokenRow row, long trained, ExpertLoadCounter load) {
        try (Scope step = backend.scope(Lifetime.STEP, "micro-batch")) {
            var micro = pass.prepare(row, 1f / trained, step);
            Replay how = pass.replayable() ? replay : Replay.NONE;
            how.run(pass.key(micro), step, scope -> pass.run(micro, scope));
            double sum = 0;
            for (float nll : HostCopy.floats(backend, micro.nll())) {
                sum += nll;
            }
            load.add(HostCopy.ints(backend, micro.expertOffsets()));
            peakStepBytes = Math.max(peakStepBytes, step.peakBytes());
            return sum;
        }
    }

    private double provenUpdate(List<TokenRow> rows, List<ExpertLoad> load, double loss, double rate) {
        var evidence = Evidence.of(rows, load);
        proof.beforeUpdate(evidence);
        double gradNorm = update(loss, rate);
        int largest = rows.stream().mapToInt(TokenRow::tokens).max().orElseThrow();
        proof.afterUpdate(evidence, Workloads.of(start.config(), start.layout(), largest), rate);
        proof = proof.over() ? null : proof;
        return gradNorm;
    }

    private double update(double loss, double rate) {
        backend.optimizer().update(parameters, new AdamW(rate, settings.beta1(), settings.beta2(), settings.epsilon(),
                settings.weightDecay(), settings.maxGradNorm(), completed + 1), norm);
        double gradNorm = HostCopy.floats(backend, norm)[0];
        if (!Double.isFinite(gradNorm) || !Double.isFinite(loss)) {
            throw new NonFiniteLossException(completed + 1, loss, gradNorm, rate);
        }
        completed++;
        return gradNorm;
    }
}
