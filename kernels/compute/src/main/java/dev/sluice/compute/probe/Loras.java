package dev.sluice.compute.probe;

import dev.sluice.compute.DType;
import dev.sluice.compute.Lora;
import java.util.stream.LongStream;

/// Adapters with random numbers and empty gradients.
public final class Loras {
    private Loras() {}

    /// @param experts leading dimension of a stack, or nothing
    public static Lora random(RandomTensors tensors, int out, int in, int rank, long... experts) {
        long[] a = shape(experts, rank, in);
        long[] b = shape(experts, out, rank);
        return new Lora(tensors.activations("lora.a", 0.02, a), tensors.activations("lora.b", 0.02, b), 1,
                tensors.zeros("lora.gradA", DType.FLOAT32, a), tensors.zeros("lora.gradB", DType.FLOAT32, b));
    }

    private static long[] shape(long[] experts, long rows, long columns) {
        return LongStream.concat(LongStream.of(experts), LongStream.of(rows, columns)).toArray();
    }
}
