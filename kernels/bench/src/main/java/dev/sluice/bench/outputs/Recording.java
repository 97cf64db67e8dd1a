package dev.sluice.bench.outputs;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lora;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.probe.Side;
import dev.sluice.model.checkpoint.Floats;
import dev.sluice.model.safetensors.SafetensorsWriter;
import dev.sluice.model.safetensors.SafetensorsWriter.Content;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;

/// What one case read and wrote, on its way into a safetensors file: tensors `in/NAME` and `out/NAME`, settings as metadata.
/// A name that begins with `d.` is a gradient: `in/d.y` of the output `out/y`, `out/d.x` of the input `in/x`.
final class Recording implements AutoCloseable {
    private static final float LORA_SCALE = 1.5f;

    private final Side side;
    private final Arena arena = Arena.ofConfined();
    private final Map<String, String> settings = new LinkedHashMap<>();
    private final List<Content> inputs = new ArrayList<>();
    private final Map<String, Tensor> outputs = new LinkedHashMap<>();

    /// Inputs are rounded to bfloat16 on every backend.
    Recording(Backend backend, long seed) {
        side = new Side(backend, DType.BFLOAT16, seed);
    }

    Side side() {
        return side;
    }

    void setting(String name, Object value) {
        settings.put(name, value.toString());
    }

    /// Keeps what a tensor holds now.
    Tensor input(String name, Tensor tensor) {
        inputs.add(content("in/" + name, tensor));
        return tensor;
    }

    /// Uniform numbers of that standard deviation, in the activation type.
    Tensor input(String name, double spread, long... shape) {
        return input(name, side.activations(name, spread, shape));
    }

    /// Keeps what a tensor will hold when the case has run.
    Tensor output(String name, Tensor tensor) {
        outputs.put("out/" + name, tensor);
        return tensor;
    }

    /// An output in the activation type, NaN until it is written.
    Tensor output(String name, long... shape) {
        return output(name, side.output(name, shape));
    }

    /// An adapter of `in/nameA` and `in/nameB` with empty gradients.
    ///
    /// @param experts leading dimension of a stack, or nothing
    Lora lora(String name, int rank, int out, int in, long... experts) {
        long[] a = LongStream.concat(LongStream.of(experts), LongStream.of(rank, in)).toArray();
        long[] b = LongStream.concat(LongStream.of(experts), LongStream.of(out, rank)).toArray();
        setting("lora_scale", LORA_SCALE);
        return new Lora(input(name + "A", 1 / Math.sqrt(in), a), input(name + "B", 0.3, b), LORA_SCALE,
                output("d." + name + "A", side.float32("gradA", 0, a)), output("d." + name + "B", side.float32("gradB", 0, b)));
    }

    void write(Path file) throws IOException {
        var all = new ArrayList<>(inputs);
        outputs.forEach((name, tensor) -> all.add(content(name, tensor)));
        SafetensorsWriter.write(file, settings, all);
    }

    private Content content(String name, Tensor tensor) {
        var data = arena.allocate(tensor.bytes(), Long.BYTES);
        side.backend().download(tensor, data);
        return new Content(name, Floats.stored(tensor.dtype()), tensor.shape(), data);
    }

    @Override
    public void close() {
        side.close();
        arena.close();
    }
}
