package dev.sluice.cuda;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import jcuda.Pointer;
import jcuda.driver.JCudaDriver;

/// Where kernels report an index outside its table: a record in pinned host memory that they write and [#check] reads.
final class Fault implements AutoCloseable {
    private static final int BYTES = 16;

    private final Pointer pointer = new Pointer();
    private final MemorySegment record;

    /// As `FaultKind` in `fault.cuh`, from 1.
    private enum Kind {
        TOKEN_ID("embed: id of token %d is %d, should be 0 to %d"),
        POSITION("rotate: position of token %d is %d, the table ends at %d"),
        LABEL("cross entropy: label of token %d is %d, should be 0 to %d, or negative to be ignored"),
        ROUTING("experts: the offsets of %d experts end at %d, should ascend from 0 to %d; was this routing written by route?"),
        PICK("router backward: pick of token %d is expert %d, should be 0 to %d; was this routing written by route?");

        private final String message;

        Kind(String message) {
            this.message = message;
        }
    }

    Fault() {
        JCudaDriver.cuMemHostAlloc(pointer, BYTES, JCudaDriver.CU_MEMHOSTALLOC_DEVICEMAP);
        record = MemorySegment.ofBuffer(pointer.getByteBuffer(0, BYTES));
        record.fill((byte) 0);
    }

    /// Address for kernels; with unified addressing it is the host's own.
    long address() {
        return record.address();
    }

    /// To be called when earlier kernels have finished.
    ///
    /// @throws IllegalArgumentException naming the token, what it held and what was allowed
    void check() {
        int kind = record.get(JAVA_INT, 0);
        if (kind != 0) {
            record.set(JAVA_INT, 0, 0);
            throw new IllegalArgumentException(Kind.values()[kind - 1].message.formatted(record.get(JAVA_INT, 4),
                    record.get(JAVA_INT, 8), record.get(JAVA_INT, 12) - 1));
        }
    }

    @Override
    public void close() {
        JCudaDriver.cuMemFreeHost(pointer);
    }
}
