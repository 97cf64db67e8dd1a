package dev.sluice.compute;

/// Memory of a device in bytes: what it has, and what a new allocation could get now.
public record MemoryStatus(long totalBytes, long freeBytes) {
    public MemoryStatus {
        if (freeBytes < 0 || freeBytes > totalBytes) {
            throw new IllegalArgumentException("free bytes must lie in 0.." + totalBytes + ", were " + freeBytes);
        }
    }
}
