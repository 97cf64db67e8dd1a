package dev.sluice.model.checkpoint;

import dev.sluice.compute.DType;
import dev.sluice.model.InvalidFileException;
import dev.sluice.model.UnsupportedModelException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Locale;

/// Merges an adapter as a process of its own: `MODEL ADAPTER OUT [float32|bfloat16|float16]`, all three folders.
/// Exit codes: 0 done, 1 failed, 2 wrong arguments; what failed is one line on standard error.
public final class MergeMain {
    private static final EnumSet<DType> TYPES = EnumSet.of(DType.FLOAT32, DType.BFLOAT16, DType.FLOAT16);

    private MergeMain() {}

    public static void main(String[] arguments) {
        System.exit(run(System.err, arguments));
    }

    static int run(PrintStream err, String... arguments) {
        try {
            if (arguments.length < 3 || arguments.length > 4) {
                throw new IllegalArgumentException("merge: give MODEL ADAPTER OUT and perhaps a type");
            }
            MergedCheckpoint.write(Path.of(arguments[0]), Path.of(arguments[1]), Path.of(arguments[2]),
                    arguments.length == 4 ? type(arguments[3]) : null);
            return 0;
        } catch (InvalidFileException | UnsupportedModelException | UncheckedIOException e) {
            err.println("sluice: " + e.getMessage());
            return 1;
        } catch (IllegalArgumentException e) {
            err.println("sluice: " + e.getMessage());
            return 2;
        }
    }

    private static DType type(String word) {
        return TYPES.stream().filter(type -> type.name().toLowerCase(Locale.ROOT).equals(word)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("merge: the type must be float32, bfloat16 or float16, was " + word));
    }
}
