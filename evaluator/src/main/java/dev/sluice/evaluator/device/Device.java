package dev.sluice.evaluator.device;

import dev.sluice.compute.Backend;
import dev.sluice.compute.Backends;
import dev.sluice.contracts.job.ModelRef;
import dev.sluice.model.BaseModel;
import dev.sluice.model.Quantization;
import dev.sluice.text.tokenizer.Tokenizer;
import java.nio.file.Path;
import org.jboss.logging.Logger;

/// The compute backend with one base model and its tokenizer on it, kept between evaluations of the same model. Belongs
/// to the thread that made it.
public final class Device implements AutoCloseable {

    private static final Logger LOG = Logger.getLogger(Device.class);

    private final Thread owner = Thread.currentThread();
    private final ModelFolders folders;
    private final String requested;
    private Backend backend;
    private BaseModel model;
    private ModelRef loaded;
    private Tokenizer tokenizer;

    /// @param requested `auto` or a backend's name; opened when first needed
    public Device(ModelFolders folders, String requested) {
        this.folders = folders;
        this.requested = requested;
    }

    /// The base model, loaded unless it already is.
    ///
    /// @throws dev.sluice.evaluator.failure.EvaluationException when it is not there or is another one
    /// @throws dev.sluice.compute.BackendUnavailableException when the backend asked for cannot run here
    public BaseModel model(ModelRef wanted) {
        requireOwner();
        Path folder = folders.resolve(wanted);
        if (!wanted.equals(loaded)) {
            drop();
            model = BaseModel.load(folder, backend(), quantization(wanted));
            loaded = wanted;
        }
        return model;
    }

    /// The tokenizer beside the loaded model.
    public Tokenizer tokenizer() {
        requireOwner();
        if (tokenizer == null) {
            tokenizer = Tokenizer.load(model.folder());
        }
        return tokenizer;
    }

    @Override
    public void close() {
        requireOwner();
        drop();
        if (backend != null) {
            backend.close();
            backend = null;
        }
    }

    private static Quantization quantization(ModelRef wanted) {
        return switch (wanted.quantize()) {
            case null -> Quantization.NONE;
            case NONE -> Quantization.NONE;
            case NF4 -> Quantization.NF4;
        };
    }

    private Backend backend() {
        if (backend == null) {
            Backends.Choice choice = Backends.installed().choose(requested);
            LOG.infof("compute backend %s for '%s': %s", choice.decision().chosen(), requested, choice.decision());
            backend = choice.backend();
        }
        return backend;
    }

    private void drop() {
        loaded = null;
        if (tokenizer != null) {
            tokenizer.close();
            tokenizer = null;
        }
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
