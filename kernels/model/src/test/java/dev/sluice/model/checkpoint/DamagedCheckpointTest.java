package dev.sluice.model.checkpoint;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Backend;
import dev.sluice.compute.Scope;
import dev.sluice.model.BaseModel;
import dev.sluice.model.Golden;
import dev.sluice.model.InvalidFileException;
import dev.sluice.model.OracleCase;
import dev.sluice.model.SyntheticModel;
import dev.sluice.model.safetensors.Checkpoint;
import dev.sluice.model.safetensors.ElementType;
import dev.sluice.model.safetensors.SafetensorsWriter;
import dev.sluice.model.safetensors.SafetensorsWriter.Content;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Every tensor that a decoder reads, damaged in every way, is refused by name and file before memory is taken for it.
class DamagedCheckpointTest {
    private static Backend cpu;
    private static Backend frugal;

    @TempDir
    Path folder;

    /// What can be wrong with one tensor. Scales, codes and tables of packed weights are tensors too.
    private enum Damage {
        MISSING {
            @Override
            Content of(Content whole, Arena arena) {
                return null;
            }
        },
        ONE_ROW_MORE {
            @Override
            Content of(Content whole, Arena arena) {
                long[] shape = whole.shape().clone();
                shape[0]++;
                long bytes = whole.data().byteSize() / whole.shape()[0] * shape[0];
                return new Content(whole.name(), whole.type(), shape, arena.allocate(bytes, Long.BYTES));
            }
        },
        OTHER_TYPE {
            @Override
            Content of(Content whole, Arena arena) {
                ElementType other = switch (whole.type().bytes()) {
                    case 1 -> ElementType.I8;
                    case 2 -> ElementType.I16;
                    default -> ElementType.I32;
                };
                return new Content(whole.name(), other, whole.shape(), whole.data());
            }
        };

        abstract Content of(Content whole, Arena arena);
    }

    @BeforeAll
    static void open() {
        cpu = Golden.cpu();
        frugal = (Backend) Proxy.newProxyInstance(DamagedCheckpointTest.class.getClassLoader(), new Class<?>[] {Backend.class},
                (_, method, arguments) -> method.getName().equals("scope") ? emptyScope() : method.invoke(cpu, arguments));
    }

    private static Scope emptyScope() {
        return (Scope) Proxy.newProxyInstance(DamagedCheckpointTest.class.getClassLoader(), new Class<?>[] {Scope.class}, (_, method, _) -> {
            if (method.getName().equals("close")) {
                return null;
            }
            throw new AssertionError(method + " called before the checkpoint was refused");
        });
    }

    @AfterAll
    static void close() {
        cpu.close();
    }

    @ParameterizedTest
    @MethodSource("dev.sluice.model.GoldenCaseTest#cases")
    void everyDamageToEveryTensorIsRefused(Path golden) throws IOException {
        Path model = OracleCase.read(golden).model();
        Files.copy(model.resolve("config.json"), folder.resolve("config.json"));
        try (var checkpoint = Checkpoint.open(model); var arena = Arena.ofConfined()) {
            List<Content> whole = checkpoint.names().stream().map(name -> content(checkpoint, name)).toList();
            for (String name : oneOfAKind(checkpoint)) {
                for (Damage damage : Damage.values()) {
                    var damaged = new ArrayList<Content>();
                    for (Content tensor : whole) {
                        Content kept = tensor.name().equals(name) ? damage.of(tensor, arena) : tensor;
                        if (kept != null) {
                            damaged.add(kept);
                        }
                    }
                    SafetensorsWriter.write(folder.resolve("model.safetensors"), Map.of(), damaged);
                    refused(name, damage);
                }
            }
        }
    }

    /// A packed weight may be named in place of what bitsandbytes says about it, which may make all of it unreadable.
    private void refused(String name, Damage damage) {
        var refusal = assertThrows(InvalidFileException.class, () -> BaseModel.load(folder, frugal), name + " " + damage);
        String base = name.replace(StoredNf4.STATE, "").replaceAll("_blocks$", "");
        String message = refusal.getMessage();
        assertTrue(message.contains(base) && message.startsWith(folder.toString()), name + " " + damage + ": " + message);
        assertTrue(damage == Damage.MISSING || message.contains("model.safetensors"), name + " " + damage + ": " + message);
    }

    private static Content content(Checkpoint checkpoint, String name) {
        var stored = checkpoint.find(name);
        return new Content(name, stored.entry().type(), stored.entry().shape(), stored.data());
    }

    /// The tensors that are read, but only one of those that differ in the number of their layer or expert.
    private static List<String> oneOfAKind(Checkpoint checkpoint) {
        var kinds = new HashSet<String>();
        return new TreeSet<>(checkpoint.names()).stream().filter(name -> !name.contains(".indexer.") && !name.startsWith("model.visual."))
                .filter(name -> kinds.add(name.replaceAll("\\.\\d+\\.", ".*.") + checkpoint.find(name).entry().type())).toList();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "num_experts | 2000000000 | num_experts", "hidden_size | 2147483647 | hidden_size", "vocab_size | 1e99 | vocab_size",
        "num_hidden_layers | 1000000000 | num_hidden_layers", "num_hidden_layers | -1 | num_hidden_layers",
        "hidden_size | 1048576 | model.embed_tokens.weight F32 [60, 32] should have shape [60, 1048576]", "moe_intermediate_size | 1048576 | mlp.experts.0.gate_proj.weight",
        "num_experts | 16384 | mlp.experts", "num_hidden_layers | 4096 | model.layers.2.",
    })
    void absurdSizesAreRefusedAtOnce(String field, double size, String named) {
        SyntheticModel.sparse(3, 2, 16).with(field, size == Math.rint(size) && Math.abs(size) < 1e18 ? (Object) (long) size : size).write(folder);
        var refusal = assertTimeoutPreemptively(Duration.ofSeconds(20), () ->
                assertThrows(InvalidFileException.class, () -> BaseModel.load(folder, frugal)));
        assertTrue(refusal.getMessage().contains(named), refusal.getMessage());
        assertTrue(refusal.getMessage().length() < 2000, refusal.getMessage());
    }

    /// Billions of tensors that are not there: looking for them ends early.
    @Test
    void hugeConfigurationOverASmallFileIsRefusedAtOnce() {
        SyntheticModel.sparse(3, 2, 16).with("num_experts", 16384).with("num_hidden_layers", 4096).with("hidden_size", 1 << 20).write(folder);
        var refusal = assertTimeoutPreemptively(Duration.ofSeconds(20), () ->
                assertThrows(InvalidFileException.class, () -> BaseModel.load(folder, frugal)));
        assertTrue(refusal.getMessage().contains("and 994 more"), refusal.getMessage());
    }

    @Test
    void tablesAndStatesOfOthersAreRefused() throws IOException {
        String weight = "model.layers.0.self_attn.q_proj.weight";
        altered(weight + StoredNf4.TABLE, data -> data.set(ValueLayout.JAVA_FLOAT_UNALIGNED, 4, -0.7f), "holds -0.7 for code 1");
        altered(weight + StoredNf4.NESTED_TABLE, data -> data.fill((byte) 0), "holds 0.0 for code 0");
        altered(weight + StoredNf4.STATE, data -> data.fill((byte) 'x'), "hold JSON");
        altered(weight + StoredNf4.STATE, data -> replace(data, "\"blocksize\": 64", "\"blocksize\": 32"), "should be {quant_type: nf4, blocksize: 64");
        altered(weight + StoredNf4.STATE, data -> replace(data, "\"nf4\"", "\"fp4\""), "should be {quant_type: nf4");
        altered(weight + StoredNf4.STATE, data -> replace(data, "[48, 64]", "[64, 48]"), "shape: [48, 64]}");
        altered(weight + StoredNf4.STATE, data -> replace(data, "\"nested_blocksize\": 256", "\"nested_blocksize\": 128"), "nested_blocksize 256");
    }

    private interface Alteration {
        void of(MemorySegment data);
    }

    private static void replace(MemorySegment data, String from, String to) {
        byte[] bytes = data.toArray(ValueLayout.JAVA_BYTE);
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        assertTrue(text.contains(from) && from.length() == to.length(), text);
        data.copyFrom(MemorySegment.ofArray(text.replace(from, to).getBytes(StandardCharsets.ISO_8859_1)));
    }

    private void altered(String name, Alteration alteration, String reason) throws IOException {
        Path model = Golden.folder("qwen3-nf4").resolve("model");
        Files.write(folder.resolve("config.json"), Files.readAllBytes(model.resolve("config.json")));
        try (var checkpoint = Checkpoint.open(model); var arena = Arena.ofConfined()) {
            var contents = new ArrayList<Content>();
            for (String tensor : checkpoint.names()) {
                Content content = content(checkpoint, tensor);
                MemorySegment data = arena.allocate(content.data().byteSize(), Long.BYTES).copyFrom(content.data());
                if (tensor.equals(name)) {
                    alteration.of(data);
                }
                contents.add(new Content(tensor, content.type(), content.shape(), data));
            }
            SafetensorsWriter.write(folder.resolve("model.safetensors"), Map.of(), contents);
        }
        var refusal = assertThrows(InvalidFileException.class, () -> BaseModel.load(folder, frugal));
        assertTrue(refusal.getMessage().contains(name) && refusal.getMessage().contains(reason), refusal.getMessage());
    }
}
