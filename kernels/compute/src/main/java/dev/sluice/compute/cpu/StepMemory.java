package dev.sluice.compute.cpu;

import dev.sluice.compute.HostMemory;
import dev.sluice.compute.NestedScope;
import dev.sluice.compute.OutOfMemoryException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// The memory behind one stack of step scopes: a bump pointer over blocks that are kept from step to step.
///
/// A first step grows it block by block. When the step ends the blocks are replaced by a single one of the size the
/// step needed, so that a warm step allocates nothing and gets the same addresses every time.
final class StepMemory implements AutoCloseable {
    /// One cache line, and one AVX-512 vector.
    static final long ALIGNMENT = 64;
    private static final long SMALLEST_BLOCK_BYTES = 1 << 20;

    private record Block(Arena arena, MemorySegment memory) {
        static Block allocate(String what, long bytes) {
            HostMemory.requireFree(what, bytes);
            Arena arena = Arena.ofShared();
            try {
                return new Block(arena, arena.allocate(bytes, ALIGNMENT));
            } catch (OutOfMemoryError refused) {
                arena.close();
                throw new OutOfMemoryException(what, bytes, HostMemory.status().freeBytes());
            }
        }
    }

    /// Where the next allocation goes.
    record Mark(int block, long offset) {}

    private final List<Block> blocks = new ArrayList<>();
    private int block;
    private long offset;
    private long highWater;

    Mark mark() {
        return new Mark(block, offset);
    }

    MemorySegment take(String what, long bytes) {
        long padded = NestedScope.padded(bytes, ALIGNMENT);
        while (block < blocks.size() && offset + padded > blocks.get(block).memory().byteSize()) {
            block++;
            offset = 0;
        }
        if (block == blocks.size()) {
            grow(what, padded);
        }
        MemorySegment taken = blocks.get(block).memory().asSlice(offset, bytes);
        offset += padded;
        highWater = Math.max(highWater, bytesBefore(block) + offset);
        return taken;
    }

    private void grow(String what, long padded) {
        long held = bytesBefore(blocks.size());
        long generous = Math.max(padded, Math.max(SMALLEST_BLOCK_BYTES, held / 2));
        long size = generous <= HostMemory.status().freeBytes() ? generous : padded;
        blocks.add(Block.allocate(what, size));
    }

    private long bytesBefore(int index) {
        long total = 0;
        for (int i = 0; i < index; i++) {
            total += blocks.get(i).memory().byteSize();
        }
        return total;
    }

    /// Takes back everything handed out since `mark`.
    void rewind(Mark mark) {
        block = mark.block();
        offset = mark.offset();
    }

    /// Called between steps: several blocks become one.
    void settle() {
        if (blocks.size() > 1) {
            long needed = highWater;
            close();
            blocks.add(Block.allocate("step memory", needed));
        }
    }

    /// Bytes kept between steps.
    long heldBytes() {
        return bytesBefore(blocks.size());
    }

    @Override
    public void close() {
        blocks.forEach(held -> held.arena().close());
        blocks.clear();
        block = 0;
        offset = 0;
    }
}
