package dev.sluice.contracts.topic;

/// How a topic forgets: by age, or by keeping the latest value of each key.
public enum Cleanup {
    DELETE("delete"),
    COMPACT("compact");

    private final String policy;

    Cleanup(String policy) {
        this.policy = policy;
    }

    /// Kafka's value of `cleanup.policy`.
    public String policy() {
        return policy;
    }
}
