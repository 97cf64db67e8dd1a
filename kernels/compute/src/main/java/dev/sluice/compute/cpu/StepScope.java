package dev.sluice.compute.cpu;

import dev.sluice.compute.Lifetime;
import dev.sluice.compute.NestedScope;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/// A scope of a step: allocation moves a pointer, closing moves it back.
final class StepScope extends NestedScope {
    private final StepMemory memory;
    private final StepMemory.Mark start;
    private final Consumer<StepMemory> whenReleased;

    /// @param whenReleased what becomes of the memory once this scope, the outermost, is closed
    StepScope(String name, StepMemory memory, Consumer<StepMemory> whenReleased) {
        this(name, memory, whenReleased, null);
    }

    private StepScope(String name, StepMemory memory, Consumer<StepMemory> whenReleased, NestedScope parent) {
        super(name, Lifetime.STEP, StepMemory.ALIGNMENT, parent);
        this.memory = memory;
        this.start = memory.mark();
        this.whenReleased = whenReleased;
    }

    @Override
    protected MemorySegment reserve(String what, long bytes) {
        return memory.take(what, bytes);
    }

    @Override
    protected NestedScope nested(String childName) {
        return new StepScope(childName, memory, _ -> { }, this);
    }

    @Override
    protected void release() {
        memory.rewind(start);
        whenReleased.accept(memory);
    }
}
