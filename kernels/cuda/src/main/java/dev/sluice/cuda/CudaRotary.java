package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.RotaryOps;

/// Twin of `rotary.cu`.
final class CudaRotary implements RotaryOps {
    private static final int ROW_THREADS = TileSizes.of("ROW_THREADS");
    private static final int ROWS = TileSizes.of("ROTARY_ROWS");
    private static final int WARP = 32;
    /// What one lane holds of a head, and how many of its pairs.
    private static final int CHUNK = 8;
    private static final int PAIRS = CHUNK / 2;
    private static final int ALIGNMENT = 16;

    private final Device device;

    CudaRotary(Device device) {
        this.device = device;
    }

    /// One tensor of a launch, which takes up to two.
    ///
    /// @param x as projected
    /// @param dy gradient of the rotated heads, or null
    /// @param weight null where nothing is normalised, as is `rstd`
    private record Heads(Tensor x, Tensor dy, Tensor out, Tensor rstd, Tensor weight) {
        private static final Heads NONE = new Heads(null, null, null, null, null);

        long count() {
            return x == null ? 0 : x.dim(1);
        }

        boolean aligned() {
            return CudaRotary.aligned(x) && CudaRotary.aligned(dy) && CudaRotary.aligned(out) && CudaRotary.aligned(weight);
        }

        void put(Launch launch) {
            launch.pointer(x).pointer(dy).pointer(out).pointer(rstd).pointerAndFormat(weight).int32(count());
        }
    }

    @Override
    public void rotate(Tensor x, Tensor positions, Tensor cos, Tensor sin, Pairing pairing, Direction direction) {
        var angles = new Angles(positions, cos, sin, pairing);
        check("rotate", x, angles);
        launch("rotate", cos.dim(1) / PAIRS, new Heads(x, null, x, null, null), Heads.NONE, angles, direction, 0);
    }

    @Override
    public void normRotate(NormedHeads query, Tensor rotatedQuery, NormedHeads key, Tensor rotatedKey, float epsilon, Angles angles) {
        String operation = "norm and rotate";
        check(operation, query, rotatedQuery, angles);
        check(operation, key, rotatedKey, angles);
        requireOneWidth(operation, query, key);
        launch("norm_rotate", query.projected().dim(2) / CHUNK, heads(query, null, rotatedQuery), heads(key, null, rotatedKey), angles,
                Direction.FORWARD, epsilon);
    }

    @Override
    public void normRotateBackward(NormedHeads query, Tensor dQuery, NormedHeads key, Tensor dKey, Angles angles) {
        String operation = "norm and rotate backward";
        check(operation, query, dQuery, angles);
        check(operation, key, dKey, angles);
        requireOneWidth(operation, query, key);
        launch("norm_rotate_backward", query.projected().dim(2) / CHUNK, heads(query, dQuery, dQuery), heads(key, dKey, dKey), angles,
                Direction.BACKWARD, 0);
    }

    private static Heads heads(NormedHeads heads, Tensor dy, Tensor out) {
        return new Heads(heads.projected(), dy, out, heads.rstd(), heads.weight());
    }

    private static void check(String operation, NormedHeads heads, Tensor other, Angles angles) {
        Tensor x = heads.projected();
        check(operation, x, angles);
        other.require(operation, DType.BFLOAT16, x.shape());
        Checks.vector(operation, heads.weight(), x.dim(2));
        heads.rstd().require(operation, DType.FLOAT32, x.dim(0) * x.dim(1));
    }

    private static void requireOneWidth(String operation, NormedHeads query, NormedHeads key) {
        key.projected().require(operation, DType.BFLOAT16, query.projected().dim(0), -1, query.projected().dim(2));
    }

    private static void check(String operation, Tensor x, Angles angles) {
        Tensor cos = angles.cos();
        x.require(operation, DType.BFLOAT16, -1, -1, -1);
        angles.positions().require(operation, DType.INT32, x.dim(0));
        cos.require(operation, DType.FLOAT32, -1, -1);
        angles.sin().require(operation, DType.FLOAT32, cos.shape());
        if (2 * cos.dim(1) > x.dim(2)) {
            throw new IllegalArgumentException(operation + ": " + cos + " rotates " + 2 * cos.dim(1) + " elements, " + x + " has " + x.dim(2));
        }
    }

    /// @param chunks pieces of a head that have work, where it is cut into such
    private void launch(String kernel, long chunks, Heads first, Heads second, Angles angles, Direction direction, float epsilon) {
        long tokens = first.x.dim(0);
        long width = first.x.dim(2);
        long pairs = angles.cos().dim(1);
        long heads = first.count() + second.count();
        boolean fast = width % CHUNK == 0 && pairs % PAIRS == 0 && chunks <= WARP && first.aligned() && second.aligned()
                && aligned(angles.cos()) && aligned(angles.sin());
        int lanes = chunks <= 8 ? 8 : chunks <= 16 ? 16 : WARP;
        int share = ROWS * WARP / lanes;
        long warps = fast ? (Math.ceilDiv(first.count(), share) + Math.ceilDiv(second.count(), share)) * tokens : heads * tokens;
        var launch = device.launch(kernel + (fast ? "_" + lanes : "_any")).grid(Math.ceilDiv(warps, ROW_THREADS / WARP)).block(ROW_THREADS)
                .beginStruct();
        first.put(launch);
        second.put(launch);
        launch.pointer(angles.positions()).pointer(angles.cos()).pointer(angles.sin()).fault()
                .int32(tokens).int32(width).int32(pairs).int32(angles.cos().dim(0)).flag(angles.pairing() == Pairing.INTERLEAVED)
                .flag(direction == Direction.BACKWARD).float32(epsilon).endStruct().run();
    }

    private static boolean aligned(Tensor tensor) {
        return tensor == null || tensor.address() % ALIGNMENT == 0;
    }
}
