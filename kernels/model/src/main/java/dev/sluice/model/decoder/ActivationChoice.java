package dev.sluice.model.decoder;

import java.util.Locale;

/// What a run keeps for its backward passes, and what it will take.
///
/// @param tokens of the largest micro-batch
/// @param totalBytes planned for everything
/// @param allowedBytes what everything might have taken
/// @param hostBytes of the host's memory, beside that
public record ActivationChoice(ActivationPolicy policy, MemoryPlan plan, int tokens, long totalBytes, long allowedBytes, long hostBytes) {
    /// The choice and the plan in one line, for logs and refusals.
    public String describe() {
        long fixed = plan.weightBytes() + plan.adapterBytes();
        return String.format(Locale.ROOT, "base weights %s, adapter of %,d parameters with %s optimiser state %s, activations of %,d tokens:"
                + " %s; %s of %s", gibibytes(plan.weightBytes()), plan.adapterParameters(),
                plan.optimizerState().name().toLowerCase(Locale.ROOT), gibibytes(plan.adapterBytes()), tokens,
                policy.describe(), gibibytes(totalBytes - fixed), gibibytes(allowedBytes - fixed)) + host();
    }

    private String host() {
        return hostBytes == 0 ? "" : ", and " + gibibytes(hostBytes) + " of pinned host memory";
    }

    private static String gibibytes(long bytes) {
        return bytes < 1L << 30 ? String.format(Locale.ROOT, "%.1f MiB", bytes / 0x1p20) : String.format(Locale.ROOT, "%.1f GiB", bytes / 0x1p30);
    }
}
