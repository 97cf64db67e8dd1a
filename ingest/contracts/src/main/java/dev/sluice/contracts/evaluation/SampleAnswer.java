package dev.sluice.contracts.evaluation;

/// One held-out prompt, answered before and after.
///
/// @param expected the answer in the data
/// @param baseline the answer of the baseline
/// @param candidate the answer with the adapter
public record SampleAnswer(String recordId, String prompt, String expected, String baseline, String candidate) {}
