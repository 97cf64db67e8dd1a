package dev.sluice.contracts.job;

/// Why the job exists.
///
/// @param kind manual or retrain
/// @param cause for a retraining: what called for it, in words
public record Trigger(TriggerKind kind, String cause) {

    public static final Trigger MANUAL = new Trigger(TriggerKind.MANUAL, null);

    public Trigger {
        kind = kind == null ? TriggerKind.MANUAL : kind;
    }
}
