package dev.sluice.ingest.worker;

/// What a [Worker] is doing.
public enum WorkerState {
    /// Loading what it needs from the log.
    STARTING,
    /// Doing its work.
    RUNNING,
    /// Waiting before it starts anew after a failure; the broker may be away.
    RETRYING,
    /// Another instance has taken over; this one has ended for good.
    FENCED,
    /// Ended on request.
    STOPPED
}
