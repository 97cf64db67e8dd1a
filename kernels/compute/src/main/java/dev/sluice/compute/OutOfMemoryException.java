package dev.sluice.compute;

/// A backend has too little memory left for an allocation. Carries the numbers, so that a job can be refused with them.
public final class OutOfMemoryException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private final long wantedBytes;
    private final long freeBytes;

    public OutOfMemoryException(String what, long wantedBytes, long freeBytes) {
        super(what + " needs " + wantedBytes + " bytes, " + freeBytes + " are free; lower max_length, batch_size or the LoRA rank");
        this.wantedBytes = wantedBytes;
        this.freeBytes = freeBytes;
    }

    public long wantedBytes() {
        return wantedBytes;
    }

    public long freeBytes() {
        return freeBytes;
    }
}
