package dev.sluice.text.tokenizer;

import java.nio.file.Path;

/// A file of the model folder is missing or damaged. The message names the file and says what to do.
public final class ModelFileException extends RuntimeException {

    private final transient Path file;

    ModelFileException(Path file, String problem, String remedy, Throwable cause) {
        super(file + ": " + problem + " " + remedy, cause);
        this.file = file;
    }

    ModelFileException(Path file, String problem, String remedy) {
        this(file, problem, remedy, null);
    }

    /// The file at fault.
    public Path file() {
        return file;
    }
}
