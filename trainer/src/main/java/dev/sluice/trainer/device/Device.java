package dev.sluice.trainer.device;

import dev.sluice.compute.BackendDecision;
import dev.sluice.compute.Backends;
import dev.sluice.compute.Tuning;
import dev.sluice.compute.Workload;
import dev.sluice.model.BaseModel;
import dev.sluice.model.Quantization;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.jboss.logging.Logger;

/// The compute backend and the base model on it, kept between jobs that use the same ones. Belongs to the thread that
/// made it.
public final class Device implements AutoCloseable {

    private static final Logger LOG = Logger.getLogger(Device.class);

    private final Thread owner = Thread.currentThread();
    private final Consumer<BackendDecision> onChoice;
    private final Path speeds;
    private Backends.Choice choice;
    private Workload chosenFor;
    private BaseModel model;
    private String modelHash;
    private Quantization modelQuantization;

    /// @param speeds file of measured speeds, by which `auto` chooses; null to choose by preference
    /// @param onChoice gets every new decision
    public Device(Path speeds, Consumer<BackendDecision> onChoice) {
        this.speeds = speeds;
        this.onChoice = onChoice;
    }

    /// The backend for `requested`: the open one if it was asked for by the same word for the same shapes, else a new one. More or
    /// fewer tokens are no reason to choose again, since the base model would have to be loaded again.
    ///
    /// @throws dev.sluice.compute.BackendUnavailableException if it cannot run here or computes wrong
    public Backends.Choice backend(String requested, Workload workload) {
        requireOwner();
        if (choice == null || !choice.decision().requested().equals(requested) || !workload.sameShape(chosenFor)) {
            close();
            choice = Backends.installed().choose(requested, speeds == null ? Tuning.OFF : new Tuning.Fastest(workload, speeds));
            chosenFor = workload;
            LOG.infof("compute backend %s for '%s': %s", choice.decision().chosen(), requested, choice.decision());
            onChoice.accept(choice.decision());
        }
        return choice;
    }

    /// Whether that base model is loaded so.
    public boolean holds(Path folder, String hash, Quantization quantization) {
        requireOwner();
        return model != null && model.folder().equals(folder) && hash.equals(modelHash) && quantization == modelQuantization;
    }

    /// The base model in `folder` on the open backend, loaded unless it already is.
    ///
    /// @param hash tells models apart, so that one replaced in place is loaded again
    public BaseModel model(Path folder, String hash, Quantization quantization) {
        requireOwner();
        if (!holds(folder, hash, quantization)) {
            dropModel();
            model = BaseModel.load(folder, choice.backend(), quantization);
            modelHash = hash;
            modelQuantization = quantization;
        }
        return model;
    }

    @Override
    public void close() {
        requireOwner();
        dropModel();
        if (choice != null) {
            choice.backend().close();
            choice = null;
        }
    }

    private void dropModel() {
        if (model != null) {
            model.close();
            model = null;
        }
    }

    private void requireOwner() {
        if (Thread.currentThread() != owner) {
            throw new IllegalStateException("device of thread " + owner.getName() + " used from " + Thread.currentThread().getName());
        }
    }
}
