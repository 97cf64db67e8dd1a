package dev.sluice.contracts.job;

import dev.sluice.contracts.store.Manifest;
import dev.sluice.contracts.wire.Check;

/// A saved state of a run.
///
/// @param step optimiser steps done
/// @param files the checkpoint's files
public record CheckpointRef(int step, Manifest files) {
    public CheckpointRef {
        Check.atLeast(step, 0, "checkpoint step");
        Check.present(files, "checkpoint files");
    }
}
