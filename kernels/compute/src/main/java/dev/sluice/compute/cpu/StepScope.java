package dev.sluice.compute.cpu;

import dev.sluice.compute.Lifetime;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/// A scope of a step: allocation moves a pointer, closing moves it back.
final class StepScope extends CpuScope {
    private final StepMemory memory;
    private final StepMemory.Mark start;
    private final Consumer<StepMemory> whenReleased;

    /// @param whenReleased what becomes of the memory once this scope, the outermost, is closed
    StepScope(String name, StepMemory memory, Consumer<StepMemory> whenReleased) {
        this(name, memory, whenReleased, null);
    }

    private StepScope(String name, StepMemory memory, Consumer<StepMemory> whenReleased, CpuScope parent) {
        super(name, Lifetime.STEP, parent);
        this.memory = memory;
        this.start = memory.mark();
        this.whenReleased = whenReleased;
    }

    @Override
    MemorySegment reserve(String what, long bytes) {
        return memory.take(what, bytes);
    }

    @Override
    CpuScope nested(String childName) {
        return new StepScope(childName, memory, _ -> { }, this);
    }

    @Override
    void release() {
        memory.rewind(start);
        whenReleased.accept(memory);
    }
}
