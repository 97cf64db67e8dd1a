package dev.sluice.compute;

/// Host memory for tensors that the device does without for a while. Each lies in a slot with a number of its own. Copies happen in call
/// order, one after another, and beside the backend's operations: only [#await] makes operations wait for them. Belongs to the backend's
/// thread.
public interface Offload extends AutoCloseable {
    /// Least bytes by which slots grow.
    long PAGE = 4096;

    /// Begins to copy a tensor into a slot, once the operations ordered so far have finished. Until [#await] the tensor may be read but
    /// not be written.
    ///
    /// @throws OutOfMemoryException if the host has too little memory for it
    void store(int slot, Tensor from);

    /// Begins to copy a slot into a tensor of the size that was stored, once the operations ordered so far have finished. Until [#await]
    /// the tensor may neither be read nor be written.
    void fetch(int slot, Tensor to);

    /// Lets operations that are ordered from now on wait until the slot's last copy has finished. The host itself does not wait.
    void await(int slot);

    /// Bytes of host memory that slots take.
    long bytes();

    /// Gives the memory back, once all copies have finished.
    @Override
    void close();

    /// Bytes of a slot that a tensor of that many bytes needs: at most an eighth more, so that rows of ever new lengths do not each
    /// want new memory.
    static long capacity(long tensorBytes) {
        long unit = Math.max(PAGE, Long.highestOneBit(tensorBytes) >> 3);
        return Math.ceilDiv(tensorBytes, unit) * unit;
    }
}
