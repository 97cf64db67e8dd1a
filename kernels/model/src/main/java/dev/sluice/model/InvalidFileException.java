package dev.sluice.model;

import java.nio.file.Path;

/// A file of a model, an adapter or a training checkpoint is damaged, hostile or missing something.
/// The message names the file, the tensor or field, what was wanted and what was found.
public final class InvalidFileException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private final transient Path file;

    public InvalidFileException(Path file, String reason) {
        super(file + ": " + reason);
        this.file = file;
    }

    public InvalidFileException(Path file, String reason, Throwable cause) {
        super(file + ": " + reason, cause);
        this.file = file;
    }

    public Path file() {
        return file;
    }
}
