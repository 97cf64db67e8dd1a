package dev.sluice.evaluator.failure;

import dev.sluice.compute.BackendUnavailableException;
import dev.sluice.contracts.log.DamagedLogException;
import dev.sluice.contracts.store.ArtifactException;
import dev.sluice.model.InvalidFileException;
import dev.sluice.model.UnsupportedModelException;
import dev.sluice.text.tokenizer.ModelFileException;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.kafka.common.KafkaException;

/// Why a score could not be made, and whether trying again can help.
public sealed interface Failure {

    /// What is wrong and what to do about it.
    String reason();

    /// Whether an evaluator that starts later may succeed with the same adapter and the same rows.
    default boolean isMendable() {
        return switch (this) {
            case Unscorable _ -> false;
            case Unfit _, Missing _, Away _ -> true;
        };
    }

    /// The adapter or its rows are not what they claim to be: trying again cannot help.
    record Unscorable(String reason) implements Failure {}

    /// The base model's place holds something else, or something unusable: nothing comes by waiting, but somebody can mend it.
    record Unfit(String reason) implements Failure {}

    /// Something is not there, or does not fit: it may come, so it is tried again, but not for ever.
    record Missing(String reason) implements Failure {}

    /// Store, broker or backend are away: it is tried again as long as it takes.
    record Away(String reason) implements Failure {}

    /// What an exception means: the one place where exceptions become failures.
    static Failure of(Throwable thrown) {
        return switch (thrown) {
            case EvaluationException e -> e.failure();
            case ArtifactException e -> switch (e.problem()) {
                case MISSING -> new Missing(e.getMessage() + "; put it back, or point sluice.store to the store that the trainer writes to");
                case DAMAGED, OUTSIDE -> new Unscorable(e.getMessage() + "; train the adapter again");
            };
            case DamagedLogException e -> new Unscorable(e.getMessage());
            case InvalidFileException e -> new Unfit("base model: " + e.getMessage() + "; put the checkpoint back that the adapter was trained on");
            case UnsupportedModelException e -> new Unfit("base model: " + e.getMessage() + "; run the evaluator in the version of the trainer");
            case ModelFileException e -> new Unfit("base model: " + e.getMessage() + "; put the checkpoint back that the adapter was trained on");
            case BackendUnavailableException e -> new Away(e.getMessage() + " (the evaluator reads SLUICE_BACKEND at its start)");
            case UncheckedIOException e -> of(e.getCause());
            case IOException e -> new Away("the artifact store cannot be used: " + e + "; check sluice.store and its volume");
            case KafkaException e -> new Away("the log cannot be read: " + e.getMessage());
            case dev.sluice.compute.OutOfMemoryException e -> new Missing(e.getMessage());
            case OutOfMemoryError e -> new Missing("this machine's memory is used up: " + e.getMessage()
                    + "; give the evaluator more, or hold out shorter rows");
            case IllegalArgumentException e -> new Unscorable(e.getMessage());
            default -> new Missing("unexpected " + thrown + "; the evaluator's log has more");
        };
    }
}
