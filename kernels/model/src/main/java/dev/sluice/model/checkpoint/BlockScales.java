package dev.sluice.model.checkpoint;

import dev.sluice.model.checkpoint.WeightSource.Part;
import dev.sluice.model.safetensors.Checkpoint;
import dev.sluice.model.safetensors.Checkpoint.Stored;

/// One scale per 128 x 128 block of an FP8 matrix, as DeepSeek-V3 and the Qwen3 FP8 repositories store them:
/// `W[i, j] = fp8[i, j] * scale_inv[i / 128, j / 128]`. Blocks at the edges are ragged.
///
/// @param scales row-major, [..., ceil(rows / 128), ceil(columns / 128)]
/// @param rows rows of one matrix
/// @param columns columns of one matrix
record BlockScales(float[] scales, long rows, long columns) {
    static final int BLOCK = 128;

    static String name(String weight) {
        return weight + "_scale_inv";
    }

    static BlockScales read(Checkpoint checkpoint, Part part) {
        Stored scales = checkpoint.find(name(part.name()));
        float[] values = new float[Math.toIntExact(scales.entry().elements())];
        Floats.decode(scales.entry().type(), scales.data(), 0, values);
        int rank = part.shape().length;
        return new BlockScales(values, rank > 1 ? part.shape()[rank - 2] : 1, part.shape()[rank - 1]);
    }

    /// Shape of the scales of a weight of that shape.
    static long[] shape(long... weight) {
        long[] shape = weight.clone();
        for (int i = Math.max(0, shape.length - 2); i < shape.length; i++) {
            shape[i] = Math.ceilDiv(shape[i], BLOCK);
        }
        return shape;
    }

    /// The scale of a block of a row; rows count through all matrices of a stack.
    float of(long row, int block) {
        long gridRow = row / rows * Math.ceilDiv(rows, BLOCK) + row % rows / BLOCK;
        return scales[(int) (gridRow * Math.ceilDiv(columns, BLOCK) + block)];
    }

    /// Multiplies one row; rows count through all matrices of a stack.
    void apply(long row, float[] values) {
        for (int block = 0; block < Math.ceilDiv(columns, BLOCK); block++) {
            float scale = of(row, block);
            int end = (int) Math.min(columns, (block + 1L) * BLOCK);
            for (int column = block * BLOCK; column < end; column++) {
                values[column] *= scale;
            }
        }
    }
}
