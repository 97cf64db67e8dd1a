package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.OptimizerOps;
import dev.sluice.compute.op.OptimizerState;
import dev.sluice.compute.op.ParameterArena;

/// Twin of `optimizer.cu` and `optimizer_lean.cu`.
final class CudaOptimizer implements OptimizerOps {
    private static final int FLAT_THREADS = TileSizes.of("FLAT_THREADS");
    private static final int PARTIALS = TileSizes.of("NORM_PARTIALS");
    /// Parameters of a thread block: a warp has a block of parameters.
    private static final int PARAMETERS = FLAT_THREADS / 32 * TileSizes.of("OPTIMIZER_BLOCK");

    private final Device device;
    private final Memory memory;

    CudaOptimizer(Device device, Memory memory) {
        this.device = device;
        this.memory = memory;
    }

    @Override
    public ParameterArena arena(Scope run, long size, OptimizerState state) {
        return SplitArena.allocate(device, memory, run, size, state, PARTIALS);
    }

    @Override
    public void update(ParameterArena arena, AdamW settings, Tensor norm) {
        String operation = "adamw update";
        norm.require(operation, DType.FLOAT32, 1);
        if (!(arena instanceof SplitArena own)) {
            throw new IllegalArgumentException(operation + ": the arena should be this backend's own, was " + arena);
        }
        device.launch("norm_partial").grid(PARTIALS).block(FLAT_THREADS)
                .pointerAndFormat(own.gradients()).int64(own.padded()).pointer(own.partials()).run();
        device.launch("norm_finish").block(32)
                .pointer(own.partials()).float32(settings.maxNorm()).pointer(norm).pointer(own.control()).run();
        move(own, settings);
    }

    private void move(SplitArena arena, AdamW settings) {
        var launch = switch (arena.moments()) {
            case Moments.Exact moments -> begin("adamw", arena).pointer(moments.mean()).pointer(moments.variance())
                    .pointer(arena.control()).int64(arena.padded());
            case Moments.Lean moments -> begin("adamw_lean", arena).pointer(moments.mean()).pointer(moments.variance())
                    .pointer(moments.meanScale()).pointer(moments.varianceScale())
                    .pointer(arena.control()).int64(arena.padded()).int32((int) settings.step());
        };
        rule(launch, settings).run();
    }

    private Launch begin(String kernel, SplitArena arena) {
        return device.launch(kernel).grid(Math.ceilDiv(arena.padded(), PARAMETERS)).block(FLAT_THREADS)
                .pointer(arena.gradients()).pointer(arena.values()).pointer(arena.parameters().low());
    }

    /// `Rule` of `adamw.cuh`.
    private static Launch rule(Launch launch, AdamW s) {
        return launch.beginStruct().float32(1 - s.beta1()).float32(s.beta2()).float32(1 - s.beta2()).float32(s.epsilon())
                .float32(s.learningRate() * s.weightDecay())
                .float32(s.learningRate() / (1 - StrictMath.pow(s.beta1(), s.step())))
                .float32(1 / Math.sqrt(1 - StrictMath.pow(s.beta2(), s.step()))).endStruct();
    }
}
