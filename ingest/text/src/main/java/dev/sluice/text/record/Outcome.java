package dev.sluice.text.record;

/// The fate of one record before duplicates are looked for.
public sealed interface Outcome {

    /// @param example     the normalised example
    /// @param json        its canonical JSON, UTF-8
    /// @param contentHash SHA-256 of `json` in lower-case hexadecimal; equal for exact duplicates
    record Accepted(Example example, byte[] json, String contentHash) implements Outcome {}

    /// @param code   why
    /// @param reason a sentence for the sender: what was found, where, and what to do
    record Refused(Refusal code, String reason) implements Outcome {}
}
