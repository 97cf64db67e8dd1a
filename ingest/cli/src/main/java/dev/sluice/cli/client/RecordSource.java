package dev.sluice.cli.client;

import dev.sluice.cli.CliException;
import dev.sluice.cli.ExitCode;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/// Records of a file, one JSON value each, as bytes that nobody has touched: lines of a JSONL file, rows of a Parquet
/// file. `-` is standard input.
public interface RecordSource extends AutoCloseable {
    /// The next record, or null at the end. Blank lines are no records.
    byte[] next() throws IOException;

    @Override
    void close() throws IOException;

    /// Opens a file by its ending: `.parquet`, or JSONL.
    ///
    /// @throws CliException if it cannot be read
    static RecordSource open(Path file) {
        try {
            if (file.toString().equals("-")) {
                return new JsonLines(System.in);
            }
            return file.toString().endsWith(".parquet") ? new ParquetRows(file)
                    : new JsonLines(new BufferedInputStream(Files.newInputStream(file), 1 << 16));
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }

    static CliException unreadable(Path file, IOException cause) {
        String why = Files.exists(file) ? cause.getMessage() : "no such file";
        return new CliException(ExitCode.USAGE, "cannot read " + file + ": " + why, cause);
    }

    /// Lines, split at line feeds only, so that every other byte reaches ingest as it was written.
    final class JsonLines implements RecordSource {
        private final InputStream in;

        JsonLines(InputStream in) {
            this.in = in;
        }

        @Override
        public byte[] next() throws IOException {
            var line = new ByteArrayOutputStream();
            for (int b = in.read(); b >= 0; b = in.read()) {
                if (b != '\n') {
                    line.write(b);
                } else if (!isBlank(line.toByteArray())) {
                    return line.toByteArray();
                } else {
                    line.reset();
                }
            }
            return isBlank(line.toByteArray()) ? null : line.toByteArray();
        }

        private static boolean isBlank(byte[] line) {
            for (byte b : line) {
                if (b != ' ' && b != '\t' && b != '\r') {
                    return false;
                }
            }
            return true;
        }

        @Override
        public void close() throws IOException {
            in.close();
        }
    }
}
