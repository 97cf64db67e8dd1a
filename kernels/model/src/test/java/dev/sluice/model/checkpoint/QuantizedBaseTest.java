package dev.sluice.model.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Packing;
import dev.sluice.compute.Weight;
import dev.sluice.model.BaseModel;
import dev.sluice.model.Golden;
import dev.sluice.model.OracleCase;
import dev.sluice.model.Quantization;
import dev.sluice.model.Tensors;
import dev.sluice.model.UnsupportedModelException;
import dev.sluice.model.checkpoint.WeightSource.Part;
import dev.sluice.model.decoder.DecoderWeights.GroupedWeights;
import dev.sluice.model.decoder.DecoderWeights.SparseWeights;
import dev.sluice.model.decoder.MemoryPlan;
import dev.sluice.model.lora.LoraSettings;
import dev.sluice.model.peft.AdapterReader;
import dev.sluice.model.safetensors.Checkpoint;
import dev.sluice.model.safetensors.ElementType;
import dev.sluice.model.safetensors.SafetensorsWriter;
import dev.sluice.model.training.LoraTraining;
import dev.sluice.model.training.StepReport;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A base that is packed into NF4 while it is loaded.
class QuantizedBaseTest {
    /// In bitsandbytes' NF4, but for one projection whose rows are no whole blocks.
    private static final OracleCase NF4 = Golden.read("qwen3-nf4");
    private static Backend backend;

    @TempDir
    Path folder;

    @BeforeAll
    static void open() {
        backend = Golden.cpu();
    }

    @AfterAll
    static void close() {
        backend.close();
    }

    @Test
    void trainsAsTheNumbersThatItStandsFor() throws IOException {
        Path plain = rewritten("plain", false);
        Path rounded = rewritten("rounded", true);
        try (var quantized = BaseModel.load(plain, backend, Quantization.NF4); var widened = BaseModel.load(rounded, backend)) {
            assertTrue(quantized.bytes() < widened.bytes() / 2, quantized.bytes() + " of " + widened.bytes());
            try (var one = training(quantized); var other = training(widened)) {
                for (int step = 0; step < NF4.steps(); step++) {
                    StepReport found = one.step(NF4.window(step));
                    StepReport wanted = other.step(NF4.window(step));
                    assertEquals(wanted.loss(), found.loss(), 1e-5 * wanted.loss());
                    assertEquals(wanted.gradNorm(), found.gradNorm(), 1e-4 * wanted.gradNorm());
                }
            }
        }
    }

    private static LoraTraining training(BaseModel model) {
        return new LoraTraining(model, AdapterReader.read(model, NF4.adapterInit()), NF4.settings());
    }

    @Test
    void projectionsAndExpertsArePackedAndTheRestIsNot() throws IOException {
        try (var model = BaseModel.load(rewritten("plain", false), backend, Quantization.NF4)) {
            var layer = model.weights().layers().getFirst();
            var attention = assertInstanceOf(GroupedWeights.class, layer.mixer());
            var sparse = assertInstanceOf(SparseWeights.class, layer.feedForward());
            for (Weight packed : List.of(attention.query().weight(), sparse.experts().gateUp(), sparse.experts().down())) {
                assertEquals(Packing.NF4, assertInstanceOf(Weight.Packed.class, packed).packing());
            }
            assertInstanceOf(Weight.Dense.class, attention.output().weight()); // its rows are 48 wide
            assertInstanceOf(Weight.Dense.class, model.weights().head());
        }
    }

    @Test
    void fourBitsOfTheCheckpointStayAndEightBecomeFour() {
        try (var mxfp4 = BaseModel.load(Golden.folder("gpt-oss-mxfp4").resolve("model"), backend, Quantization.NF4)) {
            var sparse = (SparseWeights) mxfp4.weights().layers().getFirst().feedForward();
            assertEquals(Packing.MXFP4, assertInstanceOf(Weight.Packed.class, sparse.experts().gateUp()).packing());
        }
        var keeping = new Keeping(DType.BFLOAT16, Set.of(Packing.values()), Quantization.NF4, null);
        var wanted = new WeightSource.Wanted("w", new long[] {2, 64}, List.of());
        assertEquals(Packing.NF4, keeping.packing(wanted, Packing.FP8));
        assertEquals(Packing.MXFP4, keeping.packing(wanted, Packing.MXFP4));
        var odd = new WeightSource.Wanted("w", new long[] {2, 72}, List.of());
        assertEquals(Packing.FP8, keeping.packing(odd, Packing.FP8));
    }

    @Test
    void planCountsPackedBytes() throws IOException {
        Path plain = rewritten("plain", false);
        var settings = LoraSettings.of(2, 4, List.of("q_proj"), List.of());
        var plan = MemoryPlan.of(plain, backend, Quantization.NF4, settings);
        try (var loaded = BaseModel.load(plain, backend, Quantization.NF4); var random = BaseModel.random(plain, backend, Quantization.NF4)) {
            long padding = loaded.bytes() - plan.weightBytes();
            assertTrue(padding >= 0 && padding < 64 * 200, loaded.bytes() + " bytes held, " + plan.weightBytes() + " planned");
            assertEquals(loaded.bytes(), random.bytes());
        }
    }

    @Test
    void backendThatDoesNotMultiplyWithItRefuses() {
        Backend other = (Backend) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {Backend.class}, (_, method, arguments) ->
                method.getName().equals("packings") ? Set.of() : method.invoke(backend, arguments));
        var refusal = assertThrows(UnsupportedModelException.class, () ->
                BaseModel.load(Golden.folder(Golden.FP8).resolve("model"), other, Quantization.NF4));
        assertTrue(refusal.getMessage().contains("backend cpu does not multiply with NF4"), refusal.getMessage());
    }

    /// The case's model in float32, with the numbers that its packed ones stand for, perhaps packed and unpacked once more.
    private Path rewritten(String name, boolean again) throws IOException {
        Path copy = Files.createDirectory(folder.resolve(name));
        Files.copy(NF4.model().resolve("config.json"), copy.resolve("config.json"));
        var contents = new ArrayList<SafetensorsWriter.Content>();
        try (var checkpoint = Checkpoint.open(NF4.model()); var arena = Arena.ofConfined()) {
            for (String tensor : checkpoint.names()) {
                if (StoredNf4.SUFFIXES.stream().noneMatch(tensor::endsWith)) {
                    contents.add(content(checkpoint, tensor, again, arena));
                }
            }
            SafetensorsWriter.write(copy.resolve("model.safetensors"), Map.of("format", "pt"), contents);
        }
        return copy;
    }

    private static SafetensorsWriter.Content content(Checkpoint checkpoint, String name, boolean again, Arena arena) {
        boolean packed = StoredNf4.is(checkpoint, name);
        long[] shape = packed ? StoredNf4.shape(StoredNf4.state(checkpoint, name)) : checkpoint.find(name).entry().shape();
        int columns = (int) shape[shape.length - 1];
        StoredRows rows = StoredRows.of(checkpoint, new Part(name, shape));
        float[][] numbers = new float[shape.length == 1 ? 1 : (int) shape[0]][columns];
        for (int row = 0; row < numbers.length; row++) {
            rows.read(row, numbers[row]);
        }
        float[] flat = Tensors.flat(numbers);
        if (packed && again && columns % 64 == 0) {
            int groupSize = Nf4Matrix.groupSize(new WeightSource.Wanted(name, shape, List.of(new Part(name, shape))));
            flat = Nf4PackerTest.unpacked(new Nf4Packer(numbers.length, columns, groupSize).pack(rows, 0), groupSize);
        }
        return new SafetensorsWriter.Content(name, ElementType.F32, shape, arena.allocateFrom(ValueLayout.JAVA_FLOAT, flat));
    }
}
