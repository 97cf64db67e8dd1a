package dev.sluice.model.checkpoint;

import dev.sluice.model.lora.Adapter;
import dev.sluice.model.lora.LoraSite;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// What an adapter adds to one weight, or to a stack of them: `scale * B A`, row by row, in float32.
///
/// @param values the adapter's numbers
record LoraUpdate(LoraSite site, MemorySegment values) {
    static LoraUpdate of(Adapter adapter, LoraSite site) {
        return new LoraUpdate(site, adapter.values());
    }

    /// @param row counts through all matrices of a stack
    /// @param numbers the base's row, which the update is added to
    void add(long row, float[] numbers) {
        int rank = site.rank();
        long b = site.offsetB() + row * rank;
        long a = site.offsetA() + row / site.out() * rank * site.in();
        float[] sum = new float[numbers.length];
        float[] rowOfA = new float[numbers.length];
        for (int j = 0; j < rank; j++) {
            float factor = values.getAtIndex(ValueLayout.JAVA_FLOAT, b + j);
            MemorySegment.copy(values, ValueLayout.JAVA_FLOAT, (a + (long) j * site.in()) * Float.BYTES, rowOfA, 0, rowOfA.length);
            for (int i = 0; i < sum.length; i++) {
                sum[i] += factor * rowOfA[i];
            }
        }
        float scale = (float) site.scale();
        for (int i = 0; i < sum.length; i++) {
            numbers[i] += scale * sum[i];
        }
    }
}
