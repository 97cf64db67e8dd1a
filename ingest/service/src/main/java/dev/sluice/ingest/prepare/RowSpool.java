package dev.sluice.ingest.prepare;

import dev.sluice.contracts.dataset.SequenceRow;
import dev.sluice.contracts.dataset.SequenceRowCodec;
import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/// Encoded rows on their way to their bins, in a temporary file: packing needs all lengths before it places the first row,
/// and a large dataset's rows do not fit in memory.
final class RowSpool implements AutoCloseable {

    private final Path file;
    private final RandomAccessFile content;
    private final DataOutputStream out;
    private long[] offsets = new long[1024];
    private int[] lengths = new int[1024];
    private int rows;
    private long end;

    RowSpool() throws IOException {
        file = Files.createTempFile("sluice-rows", ".spool");
        content = new RandomAccessFile(file.toFile(), "rw");
        out = new DataOutputStream(new BufferedOutputStream(Channels.newOutputStream(content.getChannel()), 1 << 20));
    }

    void add(SequenceRow row) throws IOException {
        if (rows == lengths.length) {
            offsets = Arrays.copyOf(offsets, 2 * rows);
            lengths = Arrays.copyOf(lengths, 2 * rows);
        }
        byte[] bytes = SequenceRowCodec.write(row);
        out.writeInt(bytes.length);
        out.write(bytes);
        offsets[rows] = end;
        lengths[rows] = row.length();
        rows++;
        end += Integer.BYTES + bytes.length;
    }

    boolean isEmpty() {
        return rows == 0;
    }

    /// Tokens of each row.
    int[] lengths() {
        return Arrays.copyOf(lengths, rows);
    }

    /// Row `index`, once all are added.
    SequenceRow get(int index) throws IOException {
        out.flush();
        content.seek(offsets[index]);
        byte[] bytes = new byte[content.readInt()];
        content.readFully(bytes);
        return SequenceRowCodec.read(bytes);
    }

    @Override
    public void close() throws IOException {
        content.close();
        Files.deleteIfExists(file);
    }
}
