package dev.sluice.compute;

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

/// A device that trains: its memory, and every operation of a decoder's forward and backward pass on it.
///
/// Operations are asynchronous on devices that are: they run in call order, and [#download] or [#synchronize] waits.
/// Every reduction has a fixed order, so the same calls on the same data give the same bits. A backend belongs to one
/// thread at a time. All backends pass the same `BackendContractTest`.
public interface Backend extends AutoCloseable {
    /// `cpu`, `portable` or `hopper`: the word that configuration and decision records use.
    String name();

    /// Device, library and kernel versions in one line, for logs and decision records.
    String description();

    /// What measurements of this backend hold for.
    default Fingerprint fingerprint() {
        return new Fingerprint(description(), "");
    }

    /// How often each kernel ran since the backend was opened, by name; empty where operations are no kernels.
    default Map<String, Long> launches() {
        return Map.of();
    }

    /// How the names of kernels begin that a training step of this workload must launch; empty where operations are no kernels.
    default List<String> kernels(Workload workload) {
        return List.of();
    }

    /// Element type of activations and of the adapter's compute copy: FLOAT32 on the CPU, BFLOAT16 on GPUs.
    DType activationType();

    /// Packed forms of frozen weights that this backend multiplies with; weights in any other are widened while loading.
    default Set<Packing> packings() {
        return Set.of();
    }

    /// Recorded work of this backend, for its thread. Without recording the work just runs.
    default Replay replay() {
        return Replay.NONE;
    }

    MemoryStatus memory();

    /// Bytes that plans should leave alone of those that are free: what memory rounds up and the driver takes, and where the memory is
    /// not the backend's own, what others will want.
    long reserve();

    /// Memory of the host for tensors that the device does without for a while; empty where the backend's own memory is the host's, and
    /// nothing would be gained. Takes no memory before it is used, and must be closed before this backend.
    default Optional<Offload> offload() {
        return Optional.empty();
    }

    /// What [#offload] takes from.
    default MemoryStatus hostMemory() {
        return HostMemory.status();
    }

    /// A backend that measures what a micro-batch takes: its scopes hand out tensors without memory, and its operations take the
    /// scratch memory that this backend's do and compute nothing. Belongs to the same thread and must be closed before this one.
    Backend dryRun();

    /// Opens a region of device memory.
    Scope scope(Lifetime lifetime, String name);

    /// Copies host bytes into a tensor. The source must be exactly the tensor's size and is not touched after return.
    void upload(MemorySegment host, Tensor tensor);

    /// Copies a tensor to host bytes, after all earlier operations have finished.
    void download(Tensor tensor, MemorySegment host);

    /// Waits until all earlier operations have finished, and throws what failed in them.
    void synchronize();

    ElementwiseOps elementwise();

    NormOps norm();

    RotaryOps rotary();

    LinearOps linear();

    AttentionOps attention();

    ConvolutionOps convolution();

    RouterOps router();

    ExpertOps experts();

    LossOps loss();

    OptimizerOps optimizer();

    @Override
    void close();
}
