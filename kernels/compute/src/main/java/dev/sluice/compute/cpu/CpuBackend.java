package dev.sluice.compute.cpu;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.HostMemory;
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
import java.util.ArrayDeque;
import java.util.EnumSet;
import java.util.Set;

/// The backend that is always there: float32 on all cores, the same bits whatever their number.
public final class CpuBackend implements Backend {
    private final Workers workers;
    private final Gemm gemm;
    private final ElementwiseOps elementwise;
    private final NormOps norm;
    private final RotaryOps rotary;
    private final LinearOps linear;
    private final AttentionOps attention;
    private final ConvolutionOps convolution;
    private final RouterOps router;
    private final ExpertOps experts;
    private final LossOps loss;
    private final OptimizerOps optimizer;
    /// Step memory that no open scope uses, most recently used first.
    private final ArrayDeque<StepMemory> idle = new ArrayDeque<>();
    private boolean open = true;

    /// @param threads how many threads work, the calling one included
    /// @param gemm what multiplies matrices
    CpuBackend(int threads, Gemm gemm) {
        this(threads, gemm, CpuAttention.LONG_DOCUMENT);
    }

    /// @param longDocument longest document whose attention gradients are not cut into more tasks
    CpuBackend(int threads, Gemm gemm, int longDocument) {
        this.workers = new Workers(threads);
        this.gemm = gemm;
        var products = new CpuLinear(workers, gemm);
        this.linear = products;
        this.elementwise = new CpuElementwise(workers);
        this.norm = new CpuNorm(workers, elementwise);
        this.rotary = new CpuRotary(workers, norm);
        this.attention = new CpuAttention(workers, gemm, longDocument);
        this.convolution = new CpuConvolution(workers);
        this.router = new CpuRouter(workers, gemm);
        this.experts = new CpuExperts(workers, gemm);
        this.loss = new CpuLoss(workers, products);
        this.optimizer = new CpuOptimizer(workers);
    }

    @Override
    public String name() {
        return CpuProvider.NAME;
    }

    @Override
    public String description() {
        return workers.count() + " threads, " + Memory.SPECIES.vectorBitSize() + "-bit vectors, " + gemm.description()
                + ", Java " + Runtime.version();
    }

    @Override
    public DType activationType() {
        return DType.FLOAT32;
    }

    @Override
    public Set<Packing> packings() {
        return EnumSet.allOf(Packing.class);
    }

    @Override
    public MemoryStatus memory() {
        return HostMemory.status();
    }

    /// Half of what is free: others on the machine want memory too.
    @Override
    public long reserve() {
        return memory().freeBytes() / 2;
    }

    @Override
    public Backend dryRun() {
        return new CpuDryRun(this, workers.count());
    }

    @Override
    public Scope scope(Lifetime lifetime, String name) {
        if (!open) {
            throw new IllegalStateException("cpu backend: scope " + name + " asked for after it was closed");
        }
        return switch (lifetime) {
            case PROCESS, RUN -> new HeldScope(name, lifetime, null);
            case STEP -> {
                StepMemory memory = idle.isEmpty() ? new StepMemory() : idle.pop();
                yield new StepScope(name, memory, this::keep);
            }
        };
    }

    private void keep(StepMemory memory) {
        if (open) {
            memory.settle();
            idle.push(memory);
        } else {
            memory.close();
        }
    }

    @Override
    public void upload(MemorySegment host, Tensor tensor) {
        requireSize("upload", host, tensor);
        tensor.segment().copyFrom(host);
    }

    @Override
    public void download(Tensor tensor, MemorySegment host) {
        requireSize("download", host, tensor);
        host.copyFrom(tensor.segment());
    }

    private static void requireSize(String operation, MemorySegment host, Tensor tensor) {
        if (host.byteSize() != tensor.bytes()) {
            throw new IllegalArgumentException(operation + ": " + tensor + " has " + tensor.bytes() + " bytes, the host memory "
                    + host.byteSize());
        }
    }

    @Override
    public void synchronize() {
        // Every operation has finished when it returns.
    }

    @Override
    public ElementwiseOps elementwise() {
        return elementwise;
    }

    @Override
    public NormOps norm() {
        return norm;
    }

    @Override
    public RotaryOps rotary() {
        return rotary;
    }

    @Override
    public LinearOps linear() {
        return linear;
    }

    @Override
    public AttentionOps attention() {
        return attention;
    }

    @Override
    public ConvolutionOps convolution() {
        return convolution;
    }

    @Override
    public RouterOps router() {
        return router;
    }

    @Override
    public ExpertOps experts() {
        return experts;
    }

    @Override
    public LossOps loss() {
        return loss;
    }

    @Override
    public OptimizerOps optimizer() {
        return optimizer;
    }

    /// Ends the threads and frees step memory; scopes still open free theirs when they are closed.
    @Override
    public void close() {
        open = false;
        workers.close();
        idle.forEach(StepMemory::close);
        idle.clear();
    }
}
