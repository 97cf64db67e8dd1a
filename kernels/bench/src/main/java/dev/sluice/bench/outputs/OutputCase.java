package dev.sluice.bench.outputs;

import java.util.function.Consumer;

/// One operation forward and backward on one ragged case.
///
/// @param name of the file
/// @param operation what the file's reader has to compute
record OutputCase(String name, String operation, Consumer<Recording> body) {}
