package dev.sluice.cli.broker;

/// How long a broker process lives when nobody stops it.
public enum BrokerLifetime {
    /// Until the process that started it ends, by whatever cause.
    WITH_PARENT,
    /// Until it is stopped.
    DETACHED
}
