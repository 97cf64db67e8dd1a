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
        TOKEN_ID("embed", "id"),
        POSITION("rotate", "position"),
        LABEL("cross entropy", "label");

        private final String operation;
        private final String what;

        Kind(String operation, String what) {
            this.operation = operation;
            this.what = what;
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
            var found = Kind.values()[kind - 1];
            throw new IllegalArgumentException(found.operation + ": " + found.what + " of token " + record.get(JAVA_INT, 4) + " is "
                    + record.get(JAVA_INT, 8) + ", should be 0 to " + (record.get(JAVA_INT, 12) - 1)
                    + (found == Kind.LABEL ? ", or negative to be ignored" : ""));
        }
    }

    @Override
    public void close() {
        JCudaDriver.cuMemFreeHost(pointer);
    }
}
