package dev.sluice.trainer.device;

import dev.sluice.compute.BackendDecision;
import dev.sluice.compute.Backends;
import dev.sluice.model.BaseModel;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.jboss.logging.Logger;

/// The compute backend and the base model on it, kept between jobs that use the same ones. Belongs to the thread that
/// made it.
public final class Device implements AutoCloseable {

    private static final Logger LOG = Logger.getLogger(Device.class);

    private final Thread owner = Thread.currentThread();
    private final Consumer<BackendDecision> onChoice;
    private Backends.Choice choice;
    private BaseModel model;
    private String modelHash;

    /// @param onChoice gets every new decision
    public Device(Consumer<BackendDecision> onChoice) {
        this.onChoice = onChoice;
    }

    /// The backend for `requested`: the open one if it was asked for by the same word, else a new one.
    ///
    /// @throws dev.sluice.compute.BackendUnavailableException if it cannot run here
    public Backends.Choice backend(String requested) {
        requireOwner();
        if (choice == null || !choice.decision().requested().equals(requested)) {
            close();
            choice = Backends.installed().choose(requested);
            LOG.infof("compute backend %s for '%s': %s", choice.decision().chosen(), requested, choice.decision().candidates());
            onChoice.accept(choice.decision());
        }
        return choice;
    }

    /// Whether that base model is loaded.
    public boolean holds(Path folder, String hash) {
        requireOwner();
        return model != null && model.folder().equals(folder) && hash.equals(modelHash);
    }

    /// The base model in `folder` on the open backend, loaded unless it already is.
    ///
    /// @param hash tells models apart, so that one replaced in place is loaded again
    public BaseModel model(Path folder, String hash) {
        requireOwner();
        if (!holds(folder, hash)) {
            dropModel();
            model = BaseModel.load(folder, choice.backend());
            modelHash = hash;
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
