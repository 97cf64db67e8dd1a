package dev.sluice.text.record;

/// Why a record cannot become an example. The names are part of the contract: they travel in dead-letter headers.
public enum Refusal {
    /// More bytes, or a longer string, name or number than the limits allow.
    TOO_LARGE,
    /// The bytes are not UTF-8.
    NOT_UTF8,
    /// The text is not one JSON value (NaN and Infinity are not JSON).
    NOT_JSON,
    /// JSON nested deeper than the limit.
    TOO_DEEP,
    /// One object names the same field twice.
    DUPLICATE_FIELD,
    /// A number that no double holds.
    NUMBER_OUT_OF_RANGE,
    /// Half of a surrogate pair: no Unicode text, so no tokenizer can encode it.
    LONE_SURROGATE,
    /// A JSON object, but with the fields of none of the known formats.
    UNKNOWN_FORMAT,
    /// A known field holds a value of the wrong type.
    WRONG_TYPE,
    /// No messages, or no text.
    EMPTY,
    /// A message from somebody other than system, developer, user, assistant or tool.
    UNKNOWN_ROLE,
    /// Nothing that an assistant says, so nothing to train on.
    NO_ASSISTANT_TURN
}
