package dev.sluice.model.training;

/// The loss or the gradient norm of a step is NaN or infinite. The update was skipped: the adapter and the optimiser
/// are as they were before the step.
public final class NonFiniteLossException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public NonFiniteLossException(long step, double loss, double gradNorm, double learningRate) {
        super("step " + step + ": loss " + loss + " and gradient norm " + gradNorm + " must be finite (learning rate "
                + learningRate + "); the update was skipped. Lower the learning rate or look for damaged rows");
    }
}
