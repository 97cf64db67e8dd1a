package dev.sluice.contracts.dataset;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/// The bytes of a [SequenceRow]; one row has exactly one encoding.
///
/// Little endian: `u8 'S'`, `u8 version = 1`, `u8 split`, `u8 0`, `i32 tokens`, `i32 segments`, `i32 token_id[tokens]`,
/// mask bits (bit `i` is bit `i % 8` of byte `i / 8`, `ceil(tokens / 8)` bytes), `i32 segment_start[segments]`,
/// `i32 trained_bytes[segments]`, then per segment `i32 length` and the record id in UTF-8.
public final class SequenceRowCodec {

    private static final byte MAGIC = 'S';
    private static final byte VERSION = 1;
    private static final int HEADER_BYTES = 12;

    private SequenceRowCodec() {}

    public static byte[] write(SequenceRow row) {
        List<byte[]> ids = row.recordIds().stream().map(id -> id.getBytes(StandardCharsets.UTF_8)).toList();
        int idBytes = ids.stream().mapToInt(id -> Integer.BYTES + id.length).sum();
        int maskBytes = (row.length() + 7) / 8;
        ByteBuffer out = ByteBuffer.allocate(HEADER_BYTES + row.length() * Integer.BYTES + maskBytes
                + row.segments() * 2 * Integer.BYTES + idBytes).order(ByteOrder.LITTLE_ENDIAN);
        out.put(MAGIC).put(VERSION).put((byte) row.split().ordinal()).put((byte) 0).putInt(row.length()).putInt(row.segments());
        putInts(out, row.tokenIds());
        int maskEnd = out.position() + maskBytes;
        out.put(row.lossMask().toByteArray()).position(maskEnd);
        putInts(out, row.segmentStarts());
        putInts(out, row.trainedBytes());
        ids.forEach(id -> out.putInt(id.length).put(id));
        return out.array();
    }

    /// @throws IllegalArgumentException when the bytes are no row of this version
    public static SequenceRow read(byte[] bytes) {
        ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        try {
            return read(in);
        } catch (BufferUnderflowException e) {
            throw new IllegalArgumentException("sequence row ends after " + bytes.length + " bytes, in the middle of a field", e);
        }
    }

    private static SequenceRow read(ByteBuffer in) {
        byte magic = in.get();
        byte version = in.get();
        if (magic != MAGIC || version != VERSION) {
            throw new IllegalArgumentException("sequence row must start with 'S' and version 1, was " + magic + " and version " + version);
        }
        Split split = split(in.get());
        in.get();
        int tokens = count(in, Integer.BYTES, "tokens");
        int segments = count(in, 2 * Integer.BYTES, "segments");
        int[] ids = ints(in, tokens);
        byte[] mask = new byte[(tokens + 7) / 8];
        in.get(mask);
        int[] starts = ints(in, segments);
        int[] trainedBytes = ints(in, segments);
        List<String> recordIds = new ArrayList<>(segments);
        for (int i = 0; i < segments; i++) {
            byte[] id = new byte[count(in, 1, "record id")];
            in.get(id);
            recordIds.add(new String(id, StandardCharsets.UTF_8));
        }
        if (in.hasRemaining()) {
            throw new IllegalArgumentException("sequence row has " + in.remaining() + " bytes after its end");
        }
        return new SequenceRow(split, ids, BitSet.valueOf(mask), starts, trainedBytes, recordIds);
    }

    private static Split split(byte ordinal) {
        if (ordinal < 0 || ordinal >= Split.values().length) {
            throw new IllegalArgumentException("sequence row has unknown split " + ordinal);
        }
        return Split.values()[ordinal];
    }

    /// A count that the remaining bytes can hold, so that a hostile header allocates nothing.
    private static int count(ByteBuffer in, int bytesEach, String what) {
        int count = in.getInt();
        if (count < 0 || (long) count * bytesEach > in.remaining()) {
            throw new IllegalArgumentException("sequence row announces " + count + " " + what + ", only " + in.remaining() + " bytes follow");
        }
        return count;
    }

    private static int[] ints(ByteBuffer in, int count) {
        if ((long) count * Integer.BYTES > in.remaining()) {
            throw new BufferUnderflowException();
        }
        int[] values = new int[count];
        in.asIntBuffer().get(values);
        in.position(in.position() + count * Integer.BYTES);
        return values;
    }

    private static void putInts(ByteBuffer out, int[] values) {
        out.asIntBuffer().put(values);
        out.position(out.position() + values.length * Integer.BYTES);
    }
}
