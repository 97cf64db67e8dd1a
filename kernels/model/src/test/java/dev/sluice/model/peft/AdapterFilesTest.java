package dev.sluice.model.peft;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.model.BaseModel;
import dev.sluice.model.Golden;
import dev.sluice.model.InvalidFileException;
import dev.sluice.model.OracleCase;
import dev.sluice.model.Tensors;
import dev.sluice.model.UnsupportedModelException;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.lora.LoraSettings;
import dev.sluice.model.safetensors.ElementType;
import dev.sluice.model.safetensors.SafetensorsWriter;
import dev.sluice.model.safetensors.SafetensorsWriter.Content;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class AdapterFilesTest {
    private static Backend backend;
    private static BaseModel model;

    @TempDir
    Path folder;

    @BeforeAll
    static void load() {
        backend = Golden.cpu();
        model = BaseModel.load(Golden.folder(Golden.DENSE_LAYERS).resolve("model"), backend);
    }

    @AfterAll
    static void close() {
        model.close();
        backend.close();
    }

    static Stream<LoraSettings> settings() {
        List<String> attention = List.of("q_proj", "o_proj");
        List<String> experts = List.of("mlp.experts.gate_up_proj", "mlp.experts.down_proj");
        return Stream.of(LoraSettings.of(4, 8, attention, experts),
                LoraSettings.of(2, 3.5, attention, List.of("mlp.experts.gate_up_proj")),
                LoraSettings.of(2, 3, List.of(), List.of("experts.down_proj")),
                LoraSettings.of(2, 3, List.of("v_proj", "gate_proj", "up_proj", "down_proj", "lm_head"), List.of()),
                LoraSettings.of(2, 4, List.of(LoraSettings.ALL_LINEAR), List.of()),
                new LoraSettings(4, 8, attention, experts, true, Map.of("o_proj", 2, "experts.down_proj", 3),
                        Map.of("layers.0.self_attn.q_proj", 1.5, "gate_up_proj", 5.0)));
    }

    @ParameterizedTest
    @MethodSource("settings")
    void bothFormatsGiveBackEveryBit(LoraSettings settings) {
        Adapter adapter = random(Adapter.create(model, settings, 1));
        for (AdapterFormat format : AdapterFormat.values()) {
            Path out = folder.resolve(format.label());
            AdapterWriter.write(adapter, out, new AdapterExport(format, DType.FLOAT32, "base"));
            Adapter read = AdapterReader.read(model, out);
            assertEquals(adapter.layout(), read.layout());
            assertEquals(-1, adapter.values().mismatch(read.values()));
        }
    }

    @ParameterizedTest
    @EnumSource(AdapterFormat.class)
    void whatIsReadCanBeWrittenInTheOtherFormat(AdapterFormat format) {
        Adapter adapter = random(Adapter.create(model, settings().toList().getLast(), 1));
        AdapterWriter.write(adapter, folder.resolve("first"), new AdapterExport(format, DType.FLOAT32, null));
        AdapterFormat other = format == AdapterFormat.PEFT_3D ? AdapterFormat.PER_EXPERT : AdapterFormat.PEFT_3D;
        AdapterWriter.write(AdapterReader.read(model, folder.resolve("first")), folder.resolve("second"), new AdapterExport(other, DType.FLOAT32, null));
        assertEquals(-1, adapter.values().mismatch(AdapterReader.read(model, folder.resolve("second")).values()));
    }

    @Test
    void goldenAdapterIsWrittenAsPeftWroteIt() {
        var golden = Golden.read(Golden.DENSE_LAYERS);
        AdapterWriter.write(AdapterReader.read(model, golden.adapterInit()), folder, new AdapterExport(AdapterFormat.PEFT_3D, DType.FLOAT32, null));
        var theirs = Tensors.read(golden.adapterInit().resolve("adapter_model.safetensors"));
        var ours = Tensors.read(folder.resolve("adapter_model.safetensors"));
        assertEquals(theirs.keySet(), ours.keySet());
        theirs.forEach((name, numbers) -> assertEquals(0, Tensors.relativeError(numbers, ours.get(name)), name));
        assertEquals(sets(golden.adapterInit()), sets(folder));
    }

    @ParameterizedTest
    @MethodSource("dev.sluice.model.GoldenCaseTest#cases")
    void everyFamilysAdapterIsTheSameInBothFormats(Path golden) {
        Path init = OracleCase.read(golden).adapterInit();
        try (var backend = Golden.cpu(); var base = BaseModel.load(OracleCase.read(golden).model(), backend)) {
            Adapter adapter = AdapterReader.read(base, init);
            AdapterWriter.write(adapter, folder, new AdapterExport(AdapterFormat.PER_EXPERT, DType.FLOAT32, null));
            assertEquals(-1, adapter.values().mismatch(AdapterReader.read(base, folder).values()));
            AdapterWriter.write(adapter, folder, new AdapterExport(AdapterFormat.PEFT_3D, DType.FLOAT32, null));
            var theirs = Tensors.read(init.resolve("adapter_model.safetensors"));
            var ours = Tensors.read(folder.resolve("adapter_model.safetensors"));
            ours.forEach((name, numbers) -> assertEquals(0, Tensors.relativeError(theirs.get(name), numbers), name));
            assertEquals(sets(init), sets(folder));
        }
    }

    /// gpt-oss keeps gate and up alternating; single experts have the even rows as gate and the odd ones as up.
    @Test
    void alternatingRowsAreTakenApartForSingleExperts() {
        var golden = Golden.read("gpt-oss-bfloat16");
        try (var backend = Golden.cpu(); var base = BaseModel.load(golden.model(), backend)) {
            AdapterWriter.write(AdapterReader.read(base, golden.adapterInit()), folder, new AdapterExport(AdapterFormat.PER_EXPERT, DType.FLOAT32, null));
            float[] stacked = Tensors.read(golden.adapterInit().resolve("adapter_model.safetensors"))
                    .get("base_model.model.model.layers.1.mlp.experts.base_layer.lora_B.weight");
            var single = Tensors.read(folder.resolve("adapter_model.safetensors"));
            String expert = "base_model.model.model.layers.1.mlp.experts.3.";
            int experts = 5;
            int rank = 2;
            for (int row = 0; row < 2 * 20; row++) {
                float[] own = single.get(expert + (row % 2 == 0 ? "gate_proj" : "up_proj") + ".lora_B.weight");
                for (int j = 0; j < rank; j++) {
                    assertEquals(stacked[row * experts * rank + j * experts + 3], own[row / 2 * rank + j]);
                }
            }
        }
    }

    /// Lists of targets are sets: PEFT writes them in any order.
    private static Map<String, Object> sets(Path adapter) {
        try {
            JsonNode config = new ObjectMapper().readTree(adapter.resolve("adapter_config.json").toFile());
            var fields = new TreeMap<String, Object>();
            config.properties().forEach(field -> fields.put(field.getKey(), field.getValue().isArray()
                    ? new HashSet<>(field.getValue().valueStream().toList()) : field.getValue()));
            return fields;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void halfPrecisionExportRoundsToNearest() {
        Adapter adapter = random(Adapter.create(model, settings().findFirst().orElseThrow(), 1));
        AdapterWriter.write(adapter, folder, new AdapterExport(AdapterFormat.PEFT_3D, DType.BFLOAT16, null));
        Adapter read = AdapterReader.read(model, folder);
        for (long i = 0; i < adapter.layout().size(); i++) {
            float exact = adapter.values().getAtIndex(ValueLayout.JAVA_FLOAT, i);
            assertEquals(exact, read.values().getAtIndex(ValueLayout.JAVA_FLOAT, i), Math.abs(exact) / 256);
        }
    }

    @Test
    void expertsWithAnAEachFuseToTwiceTheRank() throws IOException {
        Adapter adapter = random(Adapter.create(model, LoraSettings.of(2, 4, List.of(), List.of("experts.gate_up_proj")), 1));
        AdapterWriter.write(adapter, folder, new AdapterExport(AdapterFormat.PER_EXPERT, DType.FLOAT32, null));
        var tensors = Tensors.read(folder.resolve("adapter_model.safetensors"));
        tensors.forEach((name, numbers) -> numbers[0] += name.contains("up_proj.lora_A") ? 1 : 0);
        rewrite(tensors, name -> name.contains("lora_A") ? new long[] {2, 36} : new long[] {20, 2});
        Adapter read = AdapterReader.read(model, folder);
        var site = read.layout().sites().getFirst();
        assertEquals(4, site.rank());
        assertEquals(adapter.layout().sites().getFirst().scale(), site.scale());
        String expert = "base_model.model.model.layers.1.mlp.experts.2.up_proj.lora_";
        long a = site.offsetA() + (2L * 4 + 2) * 36;
        assertEquals(tensors.get(expert + "A.weight")[0], read.values().getAtIndex(ValueLayout.JAVA_FLOAT, a));
        long b = site.offsetB() + (2L * 40 + 20) * 4;
        assertEquals(0, read.values().getAtIndex(ValueLayout.JAVA_FLOAT, b));
        assertEquals(tensors.get(expert + "B.weight")[0], read.values().getAtIndex(ValueLayout.JAVA_FLOAT, b + 2));
    }

    @Test
    void missingAndUnexpectedTensorsAreNamed() throws IOException {
        AdapterWriter.write(Adapter.create(model, LoraSettings.of(2, 4, List.of("q_proj"), List.of()), 1), folder,
                new AdapterExport(AdapterFormat.PEFT_3D, DType.FLOAT32, null));
        var tensors = Tensors.read(folder.resolve("adapter_model.safetensors"));
        tensors.put("base_model.model.other.lora_A.weight",
                tensors.remove("base_model.model.model.layers.2.self_attn.q_proj.lora_A.weight"));
        rewrite(tensors, name -> name.contains("lora_A") ? new long[] {2, 36} : new long[] {60, 2});
        var refusal = assertThrows(InvalidFileException.class, () -> AdapterReader.read(model, folder));
        assertTrue(refusal.getMessage().contains("layers.2.self_attn.q_proj.lora_A.weight [2, 36] is missing"), refusal.getMessage());
        assertTrue(refusal.getMessage().contains("base_model.model.other.lora_A.weight is unexpected"), refusal.getMessage());
    }

    @Test
    void whatIsNotImplementedIsRefusedByName() throws IOException {
        AdapterWriter.write(Adapter.create(model, LoraSettings.of(2, 4, List.of("q_proj"), List.of()), 1), folder,
                new AdapterExport(AdapterFormat.PEFT_3D, DType.FLOAT32, null));
        Path config = folder.resolve("adapter_config.json");
        String plain = Files.readString(config);
        for (String[] change : new String[][] {{"\"use_dora\" : false", "\"use_dora\" : true"},
                {"\"bias\" : \"none\"", "\"bias\" : \"all\""}, {"\"peft_type\" : \"LORA\"", "\"peft_type\" : \"IA3\""},
                {"\"modules_to_save\" : null", "\"modules_to_save\" : [\"lm_head\"]"}}) {
            Files.writeString(config, plain.replace(change[0], change[1]));
            var refusal = assertThrows(UnsupportedModelException.class, () -> AdapterReader.read(model, folder));
            assertTrue(refusal.getMessage().contains(change[0].split("\"")[1]), refusal.getMessage());
        }
    }

    @Test
    void writingLeavesOtherFilesAlone() throws IOException {
        Files.writeString(folder.resolve("run.json"), "{}");
        AdapterWriter.write(Adapter.create(model, LoraSettings.of(2, 4, List.of("q_proj"), List.of()), 1), folder,
                new AdapterExport(AdapterFormat.PEFT_3D, DType.FLOAT32, null));
        try (var files = Files.list(folder)) {
            assertEquals(List.of("adapter_config.json", "adapter_model.safetensors", "run.json"),
                    files.map(path -> path.getFileName().toString()).sorted().toList());
        }
    }

    private void rewrite(Map<String, float[]> tensors, Function<String, long[]> shape) throws IOException {
        var contents = new ArrayList<Content>();
        tensors.forEach((name, numbers) -> contents.add(new Content(name, ElementType.F32, shape.apply(name),
                Arena.ofAuto().allocateFrom(ValueLayout.JAVA_FLOAT, numbers))));
        SafetensorsWriter.write(folder.resolve("adapter_model.safetensors"), Map.of(), contents);
    }

    private static Adapter random(Adapter fresh) {
        MemorySegment values = Arena.ofAuto().allocate(fresh.values().byteSize(), Long.BYTES);
        var random = new Random(4);
        fresh.layout().sites().forEach(site -> {
            fill(values, random, site.offsetA(), site.elementsA());
            fill(values, random, site.offsetB(), site.elementsB());
        });
        return fresh.withValues(values);
    }

    private static void fill(MemorySegment values, Random random, long offset, long count) {
        for (long i = offset; i < offset + count; i++) {
            values.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
        }
    }
}
