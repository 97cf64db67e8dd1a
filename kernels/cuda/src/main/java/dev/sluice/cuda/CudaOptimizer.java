package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.OptimizerOps;
import dev.sluice.compute.op.ParameterArena;

/// Twin of `optimizer.cu`.
final class CudaOptimizer implements OptimizerOps {
    private static final int FLAT_THREADS = TileSizes.of("FLAT_THREADS");
    private static final int PARTIALS = TileSizes.of("NORM_PARTIALS");

    private final Device device;
    private final Staging staging;

    CudaOptimizer(Device device, Staging staging) {
        this.device = device;
        this.staging = staging;
    }

    @Override
    public ParameterArena arena(Scope run, long size) {
        return SplitArena.allocate(device, staging, run, size, PARTIALS);
    }

    @Override
    public void update(ParameterArena arena, AdamW settings, Tensor norm) {
        String operation = "adamw update";
        norm.require(operation, DType.FLOAT32, 1);
        if (!(arena instanceof SplitArena own)) {
            throw new IllegalArgumentException(operation + ": the arena should be this backend's own, was " + arena);
        }
        device.launch("norm_partial").grid(PARTIALS).block(FLAT_THREADS)
                .pointer(own.gradients()).int64(own.size()).pointer(own.partials()).run();
        device.launch("norm_finish").block(32)
                .pointer(own.partials()).float32(settings.maxNorm()).pointer(norm).pointer(own.control()).run();
        device.launch("adamw").grid(Math.ceilDiv(own.size(), FLAT_THREADS)).block(FLAT_THREADS)
                .pointer(own.gradients()).pointer(own.values()).pointer(own.low()).pointer(own.mean()).pointer(own.variance())
                .pointer(own.control()).int64(own.size()).float32(settings.beta1()).float32(settings.beta2()).float32(settings.epsilon())
                .float32(settings.learningRate() * settings.weightDecay())
                .float32(settings.learningRate() / (1 - StrictMath.pow(settings.beta1(), settings.step())))
                .float32(Math.sqrt(1 - StrictMath.pow(settings.beta2(), settings.step()))).run();
    }
}
