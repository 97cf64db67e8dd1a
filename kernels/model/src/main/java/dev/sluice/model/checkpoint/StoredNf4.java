package dev.sluice.model.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sluice.compute.Nf4;
import dev.sluice.compute.Packing;
import dev.sluice.model.checkpoint.WeightSource.Part;
import dev.sluice.model.safetensors.Checkpoint;
import dev.sluice.model.safetensors.Checkpoint.Stored;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;

/// A matrix in NF4 as bitsandbytes stores it: numbers row after row, two a byte with the upper half first, and the largest
/// magnitude of every 64, plain or as codes in blocks of 256 that share a factor. Source: bitsandbytes, `QuantState.as_dict`.
///
/// @param magnitudes plain ones, or null
/// @param codes of the magnitudes, or null
/// @param factors one for every 256 codes, or null
/// @param offset added to what codes stand for
record StoredNf4(MemorySegment numbers, float[] magnitudes, MemorySegment codes, float[] factors, float offset) implements StoredRows {
    static final String STATE = ".quant_state.bitsandbytes__nf4";
    static final String OTHER_STATE = ".quant_state.bitsandbytes__fp4";
    static final String MAGNITUDES = ".absmax";
    static final String TABLE = ".quant_map";
    static final String FACTORS = ".nested_absmax";
    static final String NESTED_TABLE = ".nested_quant_map";
    static final List<String> SUFFIXES = List.of(STATE, MAGNITUDES, TABLE, FACTORS, NESTED_TABLE);

    private static final int LONGEST_STATE = 1 << 16;
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final float[] NUMBERS = Nf4.numbers();
    private static final float[] SCALES = Nf4.scales();

    static boolean is(Checkpoint checkpoint, String name) {
        return checkpoint.find(name) != null && checkpoint.find(name + STATE) != null;
    }

    /// What bitsandbytes writes about the matrix, as JSON; null if that is damaged.
    static JsonNode state(Checkpoint checkpoint, String name) {
        Stored stored = checkpoint.find(name + STATE);
        if (stored.entry().bytes() > LONGEST_STATE) {
            return null;
        }
        try {
            return JSON.readTree(stored.data().toArray(ValueLayout.JAVA_BYTE));
        } catch (IOException _) {
            return null;
        }
    }

    /// The shape of the matrix; its tensor has another.
    static long[] shape(JsonNode state) {
        JsonNode shape = state.path("shape");
        long[] dimensions = new long[shape.size()];
        for (int i = 0; i < dimensions.length; i++) {
            dimensions[i] = shape.get(i).asLong(-1);
        }
        return dimensions;
    }

    /// A checked matrix.
    static StoredNf4 of(Checkpoint checkpoint, String name) {
        MemorySegment numbers = checkpoint.find(name).data();
        Stored magnitudes = checkpoint.find(name + MAGNITUDES);
        Stored factors = checkpoint.find(name + FACTORS);
        return factors == null ? new StoredNf4(numbers, floats(magnitudes), null, null, 0)
                : new StoredNf4(numbers, null, magnitudes.data(), floats(factors), (float) state(checkpoint, name).path("nested_offset").asDouble());
    }

    static float[] floats(Stored stored) {
        float[] values = new float[Math.toIntExact(stored.entry().elements())];
        Floats.decode(stored.entry().type(), stored.data(), 0, values);
        return values;
    }

    /// Matrices of a checkpoint's parts that are stored so.
    static Nf4Matrix.Source matrices(Checkpoint checkpoint) {
        return (part, matrix, groupSize) -> of(checkpoint, part.name()).matrix(part, matrix, groupSize);
    }

    /// How many scales share a factor and an offset, at most.
    static int groupSize(Checkpoint checkpoint, Part part) {
        return checkpoint.find(part.name() + FACTORS) == null ? 1 : Nf4.GROUP;
    }

    private Nf4Matrix matrix(Part part, int matrix, int groupSize) {
        long[] shape = part.shape();
        long elements = shape[shape.length - 2] * shape[shape.length - 1];
        int scales = Math.toIntExact(elements / Packing.NF4.block());
        int first = Math.multiplyExact(matrix, scales);
        float[] groups = new float[scales / groupSize * 2];
        byte[] one = new byte[magnitudes == null ? 0 : scales];
        for (int group = 0; group < groups.length / 2; group++) {
            int scale = first + group * groupSize;
            groups[2 * group] = magnitudes == null ? factors[scale / Nf4.GROUP] : magnitudes[scale];
            groups[2 * group + 1] = offset;
        }
        Arrays.fill(one, (byte) (SCALES.length - 1));
        return new Nf4Matrix(numbers.asSlice(elements / 2 * matrix, elements / 2),
                magnitudes == null ? codes.asSlice(first, scales) : MemorySegment.ofArray(one), groups);
    }

    @Override
    public void read(long row, float[] values) {
        for (int i = 0; i < values.length; i++) {
            long element = row * values.length + i;
            int pair = numbers.get(ValueLayout.JAVA_BYTE, element / 2);
            values[i] = NUMBERS[(element % 2 == 0 ? pair >> 4 : pair) & 15] * scale(element / Packing.NF4.block());
        }
    }

    private float scale(long block) {
        return magnitudes != null ? magnitudes[(int) block]
                : SCALES[codes.get(ValueLayout.JAVA_BYTE, block) & 255] * factors[(int) (block / Nf4.GROUP)] + offset;
    }
}
