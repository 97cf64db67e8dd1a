package dev.sluice.cli.client;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sluice.cli.CliException;
import dev.sluice.cli.ExitCode;
import dev.sluice.contracts.evaluation.Score;
import dev.sluice.contracts.store.ArtifactStore;
import dev.sluice.contracts.wire.Json;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/// The folder that a self-contained run leaves behind: the PEFT adapter, the rows as trained, and `run.json` with every
/// step, the held-out rows' likelihoods and the backend decision.
public final class RunFolder {
    private static final String RUN = "run.json";
    private final Path folder;

    public RunFolder(Path folder) {
        this.folder = folder;
    }

    /// Writes the outcome of a run.
    ///
    /// @throws CliException if a file cannot be read or written
    public void write(Outcome outcome, ArtifactStore store) {
        AdapterFiles.copy(outcome.adapter(), store, folder);
        try {
            var run = (ObjectNode) Json.mapper().readTree(folder.resolve(RUN).toFile());
            run.put("job_id", outcome.adapter().jobId());
            run.put("adapter_id", outcome.adapter().adapterId());
            if (outcome.score() != null) {
                run.set("heldout", heldout(outcome.score(), store));
                run.set("score", Json.mapper().valueToTree(outcome.score()));
            }
            if (outcome.promotion() != null) {
                run.set("promotion", Json.mapper().valueToTree(outcome.promotion()));
            }
            Files.write(folder.resolve(RUN), Json.mapper().writerWithDefaultPrettyPrinter().writeValueAsBytes(run));
        } catch (IOException e) {
            throw new CliException(ExitCode.FAILED, "cannot complete " + folder.resolve(RUN) + ": " + e.getMessage(), e);
        }
    }

    /// Held-out rows in file order as three columns: trained tokens, and summed negative log-likelihood under the base
    /// model and with the adapter.
    private static ObjectNode heldout(Score score, ArtifactStore store) throws IOException {
        var heldout = Json.mapper().createObjectNode();
        ArrayNode tokens = heldout.putArray("tokens");
        ArrayNode base = heldout.putArray("base");
        ArrayNode adapted = heldout.putArray("adapted");
        try (var lines = new BufferedReader(new InputStreamReader(store.get(score.rowScores()), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                JsonNode row = Json.mapper().readTree(line);
                tokens.add(row.get("tokens").asLong());
                base.add(row.get("base_nll").asDouble());
                adapted.add(row.get("adapted_nll").asDouble());
            }
        }
        return heldout;
    }
}
