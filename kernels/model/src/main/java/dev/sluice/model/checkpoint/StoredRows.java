package dev.sluice.model.checkpoint;

import dev.sluice.model.checkpoint.WeightSource.Arrangement;
import dev.sluice.model.checkpoint.WeightSource.Part;
import dev.sluice.model.safetensors.Checkpoint;
import dev.sluice.model.safetensors.Checkpoint.Stored;
import dev.sluice.model.safetensors.ElementType;

/// Rows of a stored tensor as the decoder wants them, whatever the checkpoint keeps them as.
interface StoredRows {
    /// @param row counts through all matrices of a stack
    /// @param values filled
    void read(long row, float[] values);

    static StoredRows of(Checkpoint checkpoint, Part part) {
        Stored stored = checkpoint.find(part.name());
        long rows = part.shape().length < 2 ? 1 : part.shape()[part.shape().length - 2];
        if (stored == null) {
            StoredRows packed = PackedRows.of(checkpoint, part);
            return part.arrangement() == Arrangement.TRANSPOSED_ALTERNATING ? alternating(packed, rows) : packed;
        }
        if (StoredNf4.is(checkpoint, part.name())) {
            return StoredNf4.of(checkpoint, part.name());
        }
        return switch (part.arrangement()) {
            case PLAIN -> plain(checkpoint, part, stored);
            case TRANSPOSED -> transposed(stored, rows);
            case TRANSPOSED_ALTERNATING -> alternating(transposed(stored, rows), rows);
            case ALTERNATING_COLUMNS -> alternatingColumns(plain(checkpoint, part, stored));
        };
    }

    private static StoredRows plain(Checkpoint checkpoint, Part part, Stored stored) {
        BlockScales scales = stored.entry().type() == ElementType.F8_E4M3 ? BlockScales.read(checkpoint, part) : null;
        return (row, values) -> {
            Floats.decode(stored.entry().type(), stored.data(), row * values.length, values);
            if (scales != null) {
                scales.apply(row, values);
            }
        };
    }

    private static StoredRows transposed(Stored stored, long rows) {
        return (row, values) -> {
            float[] one = new float[1];
            long matrix = row / rows * rows * values.length;
            for (int column = 0; column < values.length; column++) {
                Floats.decode(stored.entry().type(), stored.data(), matrix + column * rows + row % rows, one);
                values[column] = one[0];
            }
        };
    }

    /// @param rows rows of one matrix
    private static StoredRows alternating(StoredRows stored, long rows) {
        return (row, values) -> stored.read(alternating(row, rows), values);
    }

    /// Where a row lies in a stack whose matrices have the decoder's two halves alternating.
    static long alternating(long row, long rows) {
        long inMatrix = row % rows;
        long half = rows / 2;
        return row - inMatrix + inMatrix % half * 2 + inMatrix / half;
    }

    private static StoredRows alternatingColumns(StoredRows stored) {
        return (row, values) -> {
            float[] all = new float[values.length];
            stored.read(row, all);
            int half = all.length / 2;
            for (int i = 0; i < all.length; i++) {
                values[i] = all[i % half * 2 + i / half];
            }
        };
    }
}
