package dev.sluice.cuda;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Fingerprint;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.MemoryStatus;
import dev.sluice.compute.Offload;
import dev.sluice.compute.Packing;
import dev.sluice.compute.Replay;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Workload;
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
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/// An NVIDIA GPU. Activations are bf16, sums float32; operations run in call order on one stream.
final class CudaBackend implements Backend {
    /// Regions of weights, of a run and of a step are backed up to 256 MiB ahead each; as much again for the driver.
    private static final long RESERVE = 1L << 30;

    private final String name;
    private final Device device;
    private final Memory memory;
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
    private boolean open = true;

    /// @param device a dry one for a dry run
    CudaBackend(String name, Device device) {
        this.name = name;
        this.device = device;
        this.memory = Memory.of(device);
        this.elementwise = new CudaElementwise(device);
        this.norm = new CudaNorm(device, elementwise);
        this.rotary = new CudaRotary(device);
        this.linear = new CudaLinear(device);
        this.attention = new CudaAttention(device);
        this.convolution = new CudaConvolution(device);
        this.router = new CudaRouter(device);
        this.experts = new CudaExperts(device);
        this.loss = new CudaLoss(device);
        this.optimizer = new CudaOptimizer(device, memory);
    }

    Device device() {
        return device;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String description() {
        return name + " kernels on " + device.gpu().describe();
    }

    @Override
    public DType activationType() {
        return DType.BFLOAT16;
    }

    @Override
    public Set<Packing> packings() {
        return FrozenMatrix.PACKINGS;
    }

    @Override
    public MemoryStatus memory() {
        return memory.status();
    }

    @Override
    public long reserve() {
        return RESERVE;
    }

    @Override
    public Backend dryRun() {
        return new CudaBackend(name, Device.dry(device.gpu(), device.hopper()));
    }

    @Override
    public Scope scope(Lifetime lifetime, String scopeName) {
        return memory.scope(lifetime, scopeName);
    }

    @Override
    public void upload(MemorySegment host, Tensor tensor) {
        checkSize("upload", host, tensor);
        memory.upload(host, tensor.address());
    }

    @Override
    public void download(Tensor tensor, MemorySegment host) {
        checkSize("download", host, tensor);
        memory.download(tensor.address(), host);
        device.checkFault();
    }

    private void checkSize(String operation, MemorySegment host, Tensor tensor) {
        device.checkThread();
        if (host.byteSize() != tensor.bytes()) {
            throw new IllegalArgumentException(operation + ": " + tensor + " has " + tensor.bytes() + " bytes, the host memory "
                    + host.byteSize());
        }
    }

    @Override
    public void synchronize() {
        device.synchronize();
        device.checkFault();
    }

    @Override
    public Optional<Offload> offload() {
        return Optional.of(memory.offload());
    }

    @Override
    public Replay replay() {
        return KernelTimes.WANTED ? Replay.NONE : new GraphReplay(new StreamRecorder(device));
    }

    @Override
    public Map<String, Long> launches() {
        return device.launches();
    }

    @Override
    public List<String> kernels(Workload workload) {
        return ExpectedKernels.of(device, workload);
    }

    @Override
    public Fingerprint fingerprint() {
        return new Fingerprint(device.gpu().fingerprint(), device.hashes().entrySet().stream().map(one -> one.getKey() + " " + one.getValue())
                .collect(Collectors.joining(", ")));
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

    @Override
    public void close() {
        if (open) {
            open = false;
            try {
                device.synchronize();
                memory.close();
            } finally {
                device.close();
            }
        }
    }
}
