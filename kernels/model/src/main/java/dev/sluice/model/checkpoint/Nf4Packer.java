package dev.sluice.model.checkpoint;

import dev.sluice.compute.Nf4;
import dev.sluice.compute.Packing;
import dev.sluice.model.safetensors.Checkpoint;
import java.lang.foreign.MemorySegment;
import java.util.stream.IntStream;

/// Packs numbers into NF4 while they are read, one matrix at a time, so that they never all lie plain in memory.
///
/// Every 64 numbers are divided by the largest magnitude among them and replaced by the nearest of the table's; the
/// magnitudes less their mean are packed so in turn, with a table of 256. Source: Dettmers et al. 2023, QLoRA, section 3.
record Nf4Packer(int rows, int columns, int groupSize) {
    private static final int BLOCK = Packing.NF4.block();
    private static final float[] NUMBERS = Nf4.numbers();
    private static final float[] NUMBER_BOUNDS = middles(NUMBERS);
    /// Slices of -1 to 1, each so narrow that at most one bound lies in it or near it.
    private static final int SLICES = 1024;
    private static final byte[] BELOW = below();
    private static final float[] SCALES = Nf4.scales();
    private static final float[] SCALE_BOUNDS = middles(SCALES);

    /// Matrices of a checkpoint's parts, whatever they are stored as.
    static Nf4Matrix.Source of(Checkpoint checkpoint) {
        return (part, matrix, groupSize) -> {
            long[] shape = part.shape();
            int rows = Math.toIntExact(shape[shape.length - 2]);
            return new Nf4Packer(rows, Math.toIntExact(shape[shape.length - 1]), groupSize)
                    .pack(StoredRows.of(checkpoint, part), (long) matrix * rows);
        };
    }

    /// Packs `rows` rows from that one on.
    Nf4Matrix pack(StoredRows stored, long first) {
        byte[] codes = new byte[Math.multiplyExact(rows, columns / 2)];
        float[] largest = new float[rows * (columns / BLOCK)];
        IntStream.range(0, rows).parallel().forEach(row -> {
            float[] numbers = new float[columns];
            stored.read(first + row, numbers);
            packRow(numbers, row, codes, largest);
        });
        byte[] scales = new byte[largest.length];
        return new Nf4Matrix(MemorySegment.ofArray(codes), MemorySegment.ofArray(scales), packScales(largest, scales));
    }

    private static void packRow(float[] numbers, int row, byte[] codes, float[] largest) {
        for (int block = 0; block < numbers.length; block += BLOCK) {
            float most = largest(numbers, block, BLOCK, 0);
            largest[row * (numbers.length / BLOCK) + block / BLOCK] = most;
            float factor = most == 0 ? 0 : 1 / most;
            for (int i = block; i < block + BLOCK; i += 2) {
                codes[row * (numbers.length / 2) + i / 2] = (byte) (code(numbers[i] * factor) << 4 | code(numbers[i + 1] * factor));
            }
        }
    }

    /// Place of the nearest of the 16 numbers: what [#nearest] finds, without a search.
    private static int code(float number) {
        int code = BELOW[(int) ((number + 1) * (SLICES / 2))];
        return code < NUMBER_BOUNDS.length && number > NUMBER_BOUNDS[code] ? code + 1 : code;
    }

    /// For every slice the bounds that lie safely below it.
    private static byte[] below() {
        byte[] below = new byte[SLICES + 2];
        for (int slice = 0; slice < below.length; slice++) {
            below[slice] = (byte) nearest(NUMBER_BOUNDS, (slice - 0.5f) / (SLICES / 2) - 1);
        }
        return below;
    }

    /// @return a factor and an offset for every group
    private float[] packScales(float[] largest, byte[] scales) {
        float mean = (float) (IntStream.range(0, largest.length).mapToDouble(i -> largest[i]).sum() / largest.length);
        float[] groups = new float[largest.length / groupSize * 2];
        for (int first = 0; first < largest.length; first += groupSize) {
            float most = largest(largest, first, groupSize, mean);
            for (int i = first; i < first + groupSize; i++) {
                scales[i] = (byte) nearest(SCALE_BOUNDS, most == 0 ? 0 : (largest[i] - mean) / most);
            }
            groups[first / groupSize * 2] = most;
            groups[first / groupSize * 2 + 1] = mean;
        }
        return groups;
    }

    private static float largest(float[] numbers, int first, int count, float offset) {
        float most = 0;
        for (int i = first; i < first + count; i++) {
            most = Math.max(most, Math.abs(numbers[i] - offset));
        }
        return most;
    }

    /// Place of the nearest number of a table, given the middles between its neighbours.
    private static int nearest(float[] bounds, float number) {
        int low = 0;
        int high = bounds.length;
        while (low < high) {
            int middle = low + high >>> 1;
            if (number > bounds[middle]) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    private static float[] middles(float[] table) {
        float[] middles = new float[table.length - 1];
        for (int i = 0; i < middles.length; i++) {
            middles[i] = (table[i] + table[i + 1]) / 2;
        }
        return middles;
    }
}
