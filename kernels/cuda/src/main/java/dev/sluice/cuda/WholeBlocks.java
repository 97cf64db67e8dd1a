package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;

/// Allocates what an arena keeps of every parameter: zeros, for whole blocks, of which callers see the parameters that there are. So
/// kernels work on whole blocks, and a parameter that does not exist has the gradient 0 forever.
///
/// @param size parameters
record WholeBlocks(Device device, Scope run, long size) {
    private static final int BLOCK = TileSizes.of("OPTIMIZER_BLOCK");

    private long blocks() {
        return Math.ceilDiv(size, BLOCK);
    }

    /// Parameters, the missing ones of the last block included.
    long padded() {
        return blocks() * BLOCK;
    }

    /// [size, each...]
    Tensor zeros(String name, DType dtype, long... each) {
        long[] shape = new long[each.length + 1];
        System.arraycopy(each, 0, shape, 1, each.length);
        shape[0] = padded();
        Tensor whole = zeroed(run.allocate(name, dtype, shape));
        shape[0] = size;
        return whole.view(name, 0, shape);
    }

    /// FLOAT32 [blocks]
    Tensor scales(String name) {
        return zeroed(run.allocate(name, DType.FLOAT32, blocks()));
    }

    private Tensor zeroed(Tensor tensor) {
        device.fill(tensor.address(), (byte) 0, tensor.bytes());
        return tensor;
    }
}
