package dev.sluice.trainer.publish;

import dev.sluice.contracts.wire.Json;
import dev.sluice.model.TokenRow;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// `rows.jsonl`: every training row of the first epoch in the order it was trained, one object a line.
final class RowsFile {

    private RowsFile() {}

    /// @param ids token ids
    /// @param mask 1 where the token is trained
    private record Line(int[] ids, int[] mask) {
        static Line of(TokenRow row) {
            int[] mask = new int[row.tokens()];
            for (int i = 0; i < mask.length; i++) {
                mask[i] = row.mask()[i] ? 1 : 0;
            }
            return new Line(row.ids(), mask);
        }
    }

    static void write(Path file, List<TokenRow> rows) throws IOException {
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file))) {
            for (TokenRow row : rows) {
                out.write(Json.write(Line.of(row)));
                out.write('\n');
            }
        }
    }
}
