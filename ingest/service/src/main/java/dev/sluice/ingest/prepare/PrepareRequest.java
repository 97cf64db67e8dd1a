package dev.sluice.ingest.prepare;

import dev.sluice.contracts.dataset.DatasetVersion;
import dev.sluice.contracts.dataset.PrepareSettings;
import java.nio.file.Path;

/// What decides the rows.
///
/// @param heldout version of a separate held-out dataset, or null
/// @param model folder with tokenizer and chat template
public record PrepareRequest(DatasetVersion train, DatasetVersion heldout, Path model, PrepareSettings settings) {}
