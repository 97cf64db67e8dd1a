package dev.sluice.model.checkpoint;

import dev.sluice.compute.Mxfp4;
import dev.sluice.model.checkpoint.WeightSource.Part;
import dev.sluice.model.safetensors.Checkpoint;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// A stack in MXFP4, as gpt-oss is released: blocks of 32 neighbouring inputs, two 4-bit floats a byte with the lower half
/// first, and an exponent of two per block. It lies [experts, out, in] even where plain stacks are transposed.
/// Source: Open Compute Project 2023, Microscaling formats, sections 5.3 and 6.3.
///
/// @param blocks [experts, out, in / 32, 16] bytes
/// @param scales [experts, out, in / 32] bytes
record PackedRows(MemorySegment blocks, MemorySegment scales) implements StoredRows {
    static final int BLOCK = 32;
    private static final int EXPONENT_BIAS = 127;
    private static final float[] VALUES = Mxfp4.numbers();

    static PackedRows of(Checkpoint checkpoint, Part part) {
        return new PackedRows(checkpoint.find(blocksName(part.name())).data(), checkpoint.find(scalesName(part.name())).data());
    }

    static String blocksName(String weight) {
        return weight + "_blocks";
    }

    static String scalesName(String weight) {
        return weight + "_scales";
    }

    /// Shape of the blocks of a stack [experts, rows, columns]; without its last dimension that of the scales.
    static long[] blocksShape(long... stack) {
        return new long[] {stack[0], stack[1], stack[2] / BLOCK, BLOCK / 2};
    }

    @Override
    public void read(long row, float[] values) {
        long firstBlock = row * (values.length / BLOCK);
        for (int i = 0; i < values.length; i += 2) {
            long block = firstBlock + i / BLOCK;
            int pair = Byte.toUnsignedInt(blocks.get(ValueLayout.JAVA_BYTE, block * (BLOCK / 2) + i % BLOCK / 2));
            int exponent = Byte.toUnsignedInt(scales.get(ValueLayout.JAVA_BYTE, block)) - EXPONENT_BIAS;
            values[i] = Math.scalb(VALUES[pair & 15], exponent);
            values[i + 1] = Math.scalb(VALUES[pair >> 4], exponent);
        }
    }
}
