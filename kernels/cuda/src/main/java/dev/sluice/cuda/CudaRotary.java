package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.RotaryOps;

/// Twin of `rotary.cu`.
final class CudaRotary implements RotaryOps {
    private static final int FLAT_THREADS = TileSizes.of("FLAT_THREADS");

    private final Device device;

    CudaRotary(Device device) {
        this.device = device;
    }

    @Override
    public void rotate(Tensor x, Tensor positions, Tensor cos, Tensor sin, Pairing pairing, Direction direction) {
        String operation = "rotate";
        x.require(operation, DType.BFLOAT16, -1, -1, -1);
        positions.require(operation, DType.INT32, x.dim(0));
        cos.require(operation, DType.FLOAT32, -1, -1);
        sin.require(operation, DType.FLOAT32, cos.shape());
        long pairs = cos.dim(1);
        if (2 * pairs > x.dim(2)) {
            throw new IllegalArgumentException(operation + ": " + cos + " rotates " + 2 * pairs + " elements, " + x + " has " + x.dim(2));
        }
        long threads = x.dim(0) * x.dim(1) * pairs;
        device.launch("rotate").grid(Math.ceilDiv(threads, FLAT_THREADS)).block(FLAT_THREADS)
                .pointer(x).pointer(positions).pointer(cos).pointer(sin).int64(x.dim(0)).int32(x.dim(1)).int32(x.dim(2)).int32(pairs)
                .int32(cos.dim(0)).flag(pairing == Pairing.INTERLEAVED).flag(direction == Direction.BACKWARD).fault().run();
    }
}
