package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.LANES;
import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.get;
import static dev.sluice.compute.cpu.Memory.load;
import static dev.sluice.compute.cpu.Memory.set;
import static dev.sluice.compute.cpu.Memory.store;
import static dev.sluice.compute.cpu.Memory.whole;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.NormOps;
import dev.sluice.compute.op.RotaryOps;

/// Rotary position embedding in place, alone or after a norm.
final class CpuRotary implements RotaryOps {
    private static final int CHUNK = 1 << 14;

    private final Workers workers;
    private final NormOps norm;

    CpuRotary(Workers workers, NormOps norm) {
        this.workers = workers;
        this.norm = norm;
    }

    @Override
    public void rotate(Tensor x, Tensor positions, Tensor cos, Tensor sin, Pairing pairing, Direction direction) {
        String operation = "rotate";
        x.require(operation, DType.FLOAT32, -1, -1, -1);
        int tokens = Math.toIntExact(x.dim(0));
        int heads = Math.toIntExact(x.dim(1));
        int width = Math.toIntExact(x.dim(2));
        positions.require(operation, DType.INT32, tokens);
        cos.require(operation, DType.FLOAT32, -1, -1);
        sin.require(operation, DType.FLOAT32, cos.shape());
        int pairs = Math.toIntExact(cos.dim(1));
        long table = cos.dim(0);
        if (2 * pairs > width) {
            throw new IllegalArgumentException(operation + ": " + cos + " rotates " + 2 * pairs + " elements, " + x + " has " + width);
        }
        long start = x.address();
        long position = positions.address();
        long c = cos.address();
        long s = sin.address();
        float sign = direction == Direction.FORWARD ? 1f : -1f;
        workers.rows(tokens, Math.max(1, CHUNK / (heads * width)), (first, end, _) -> {
            for (int t = first; t < end; t++) {
                int p = Memory.getInt(at(position, t));
                if (p < 0 || p >= table) {
                    throw new IllegalArgumentException(operation + ": token " + t + " has position " + p + ", the table ends at "
                            + (table - 1));
                }
                for (int h = 0; h < heads; h++) {
                    long head = at(start, ((long) t * heads + h) * width);
                    rotateHead(head, at(c, (long) p * pairs), at(s, (long) p * pairs), pairs, sign, pairing);
                }
            }
        });
    }

    @Override
    public void normRotate(NormedHeads query, Tensor rotatedQuery, NormedHeads key, Tensor rotatedKey, float epsilon, Angles angles) {
        normRotate(query, rotatedQuery, epsilon, angles);
        normRotate(key, rotatedKey, epsilon, angles);
    }

    private void normRotate(NormedHeads heads, Tensor rotated, float epsilon, Angles angles) {
        norm.rmsNorm(heads.projected(), heads.weight(), epsilon, rotated, heads.rstd());
        rotate(rotated, angles, Direction.FORWARD);
    }

    @Override
    public void normRotateBackward(NormedHeads query, Tensor dQuery, NormedHeads key, Tensor dKey, Angles angles) {
        normRotateBackward(query, dQuery, angles);
        normRotateBackward(key, dKey, angles);
    }

    private void normRotateBackward(NormedHeads heads, Tensor gradient, Angles angles) {
        rotate(gradient, angles, Direction.BACKWARD);
        norm.rmsNormBackward(gradient, heads.projected(), heads.weight(), heads.rstd(), gradient, Accumulate.REPLACE);
    }

    private void rotate(Tensor x, Angles angles, Direction direction) {
        rotate(x, angles.positions(), angles.cos(), angles.sin(), angles.pairing(), direction);
    }

    private static void rotateHead(long head, long cos, long sin, int pairs, float sign, Pairing pairing) {
        switch (pairing) {
            case HALVES -> rotateHalves(head, cos, sin, pairs, sign);
            case INTERLEAVED -> {
                for (int i = 0; i < pairs; i++) {
                    rotatePair(at(head, 2 * i), at(head, 2 * i + 1), get(at(cos, i)), sign * get(at(sin, i)));
                }
            }
        }
    }

    private static void rotateHalves(long head, long cos, long sin, int pairs, float sign) {
        int i = 0;
        for (; i < whole(pairs); i += LANES) {
            var low = load(at(head, i));
            var high = load(at(head, pairs + i));
            var c = load(at(cos, i));
            var s = load(at(sin, i)).mul(sign);
            store(low.mul(c).sub(high.mul(s)), at(head, i));
            store(high.mul(c).add(low.mul(s)), at(head, pairs + i));
        }
        for (; i < pairs; i++) {
            rotatePair(at(head, i), at(head, pairs + i), get(at(cos, i)), sign * get(at(sin, i)));
        }
    }

    private static void rotatePair(long first, long second, float cos, float sin) {
        float low = get(first);
        float high = get(second);
        set(first, low * cos - high * sin);
        set(second, high * cos + low * sin);
    }
}
