package dev.sluice.ingest.rest;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;

/// Lines of a stream as bytes, each no longer than a limit: a body without a line feed must not fill the heap.
final class Lines {

    private final InputStream in;
    private final int maxBytes;
    private long number;
    private boolean tooLong;

    Lines(InputStream in, int maxBytes) {
        this.in = new BufferedInputStream(in, 1 << 16);
        this.maxBytes = maxBytes;
    }

    /// The next line without its end, or null. A line that is too long comes empty, with [#isTooLong] set.
    byte[] next() throws IOException {
        var line = new ByteArrayOutputStream(512);
        tooLong = false;
        int read = in.read();
        if (read < 0) {
            return null;
        }
        number++;
        for (; read >= 0 && read != '\n'; read = in.read()) {
            if (line.size() < maxBytes) {
                line.write(read);
            } else {
                tooLong = true;
            }
        }
        return tooLong ? new byte[0] : line.toByteArray();
    }

    /// Number of the line that [#next] returned, from 1.
    long number() {
        return number;
    }

    boolean isTooLong() {
        return tooLong;
    }
}
