package dev.sluice.compute.cpu;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.DryScope;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.MemoryStatus;
import dev.sluice.compute.Packing;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.AttentionOps;
import dev.sluice.compute.op.ConvolutionOps;
import dev.sluice.compute.op.ElementwiseOps;
import dev.sluice.compute.op.ExpertOps;
import dev.sluice.compute.op.LinearOps;
import dev.sluice.compute.op.LossOps;
import dev.sluice.compute.op.NormOps;
import dev.sluice.compute.op.OptimizerOps;
import dev.sluice.compute.op.RotaryOps;
import dev.sluice.compute.op.RouterOps;
import java.lang.foreign.MemorySegment;
import java.util.Set;

/// The CPU backend without memory and without numbers.
final class CpuDryRun implements Backend {
    private final CpuBackend real;
    private final DryOperations operations;

    /// @param workers how many threads the real backend's scratch memory is for
    CpuDryRun(CpuBackend real, int workers) {
        this.real = real;
        this.operations = new DryOperations(workers);
    }

    @Override
    public String name() {
        return real.name();
    }

    @Override
    public String description() {
        return real.description() + ", measuring";
    }

    @Override
    public DType activationType() {
        return real.activationType();
    }

    @Override
    public Set<Packing> packings() {
        return real.packings();
    }

    @Override
    public MemoryStatus memory() {
        return real.memory();
    }

    @Override
    public long reserve() {
        return real.reserve();
    }

    @Override
    public Backend dryRun() {
        return this;
    }

    @Override
    public Scope scope(Lifetime lifetime, String name) {
        return new DryScope(name, lifetime, StepMemory.ALIGNMENT);
    }

    @Override
    public void upload(MemorySegment host, Tensor tensor) {
        // There is nothing to copy to.
    }

    @Override
    public void download(Tensor tensor, MemorySegment host) {
        throw new UnsupportedOperationException("a dry run has no numbers: " + tensor);
    }

    @Override
    public void synchronize() {
        // Nothing runs.
    }

    @Override
    public ElementwiseOps elementwise() {
        return operations;
    }

    @Override
    public NormOps norm() {
        return operations;
    }

    @Override
    public RotaryOps rotary() {
        return operations;
    }

    @Override
    public LinearOps linear() {
        return operations;
    }

    @Override
    public AttentionOps attention() {
        return operations;
    }

    @Override
    public ConvolutionOps convolution() {
        return operations;
    }

    @Override
    public RouterOps router() {
        return operations;
    }

    @Override
    public ExpertOps experts() {
        return operations;
    }

    @Override
    public LossOps loss() {
        return operations;
    }

    @Override
    public OptimizerOps optimizer() {
        return operations;
    }

    @Override
    public void close() {
        // Holds nothing.
    }
}
