package dev.sluice.contracts.evaluation;

import com.fasterxml.jackson.annotation.JsonEnumDefaultValue;

/// What became of a candidate.
public enum Decision {
    /// It is the champion now.
    PROMOTE,
    /// It is not better.
    REJECT,
    /// Too little evidence to say.
    INCONCLUSIVE,
    /// An earlier champion is back.
    ROLLBACK,
    @JsonEnumDefaultValue
    UNKNOWN
}
