package dev.sluice.contracts.evaluation;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import java.time.Instant;

/// What `scores.v1` carries: the field `kind` tells which, and a score, which was there first, has none.
///
/// A reader that knows scores only cannot read the others and leaves them out.
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "kind", defaultImpl = Score.class)
@JsonSubTypes({@JsonSubTypes.Type(value = Unscored.class, name = "unscored"), @JsonSubTypes.Type(value = Waiting.class, name = "waiting")})
public sealed interface ScoreEvent permits Verdict, Waiting {

    /// The message's key.
    String key();

    String adapterId();

    /// The job that made the adapter.
    String jobId();

    /// When it was found.
    Instant at();
}
