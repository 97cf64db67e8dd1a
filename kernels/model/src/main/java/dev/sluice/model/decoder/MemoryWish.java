package dev.sluice.model.decoder;

/// What a run was told about its memory.
///
/// @param level what every layer keeps, or null to keep as much as fits
/// @param budgetBytes most bytes of everything that the run holds in the backend's memory, base model included; null for what is free
public record MemoryWish(ActivationLevel level, Long budgetBytes) {
    /// As much as fits into what is free.
    public static final MemoryWish AUTO = new MemoryWish(null, null);

    private static final String AUTOMATIC = "auto";

    public MemoryWish {
        if (budgetBytes != null && budgetBytes <= 0) {
            throw new IllegalArgumentException("memory: the budget should be above 0 bytes, was " + budgetBytes);
        }
    }

    /// @param policy `auto`, or a level in lower case
    /// @param budgetGib null for what is free
    /// @throws IllegalArgumentException naming the levels if it is none of them, or if the budget is not above 0
    public static MemoryWish of(String policy, Double budgetGib) {
        return new MemoryWish(policy.equals(AUTOMATIC) ? null : ActivationLevel.named(policy),
                budgetGib == null ? null : (long) (budgetGib * (1L << 30)));
    }
}
