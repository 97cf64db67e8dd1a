package dev.sluice.text.mask;

/// What became of one example.
public sealed interface RowOutcome {

    /// A row with at least one token to train.
    record Row(TokenRow row) implements RowOutcome {}

    /// @param code   why there is no row
    /// @param reason a sentence for the operator: what was found and what to do
    record Refused(Code code, String reason) implements RowOutcome {}

    /// Why an example gives no row. The names are part of the contract.
    enum Code {
        /// A conversation, but the model has no chat template.
        NO_TEMPLATE,
        /// The chat template refuses this conversation, or used up its budget.
        TEMPLATE_FAILED,
        /// The template marks no assistant turns, and they cannot be found in what it renders.
        NOT_ALIGNABLE,
        /// No token of the row (after truncation) would be trained.
        NOTHING_TO_TRAIN
    }
}
