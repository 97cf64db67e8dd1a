package dev.sluice.model;

import com.fasterxml.jackson.databind.ObjectMapper;
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
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/// Writes small qwen3_moe checkpoints with random float32 weights, so that tests can choose every size.
public final class SyntheticModel {
    private final Map<String, Object> config = new TreeMap<>(Map.of("model_type", "qwen3_moe", "hidden_size", 32,
            "num_hidden_layers", 2, "num_attention_heads", 4, "num_key_value_heads", 2, "head_dim", 8, "vocab_size", 60));
    private final Map<String, float[]> tensors = new TreeMap<>();
    private final Map<String, long[]> shapes = new TreeMap<>();

    /// Two sparse layers.
    public static SyntheticModel sparse(int experts, int topK, int width) {
        var model = new SyntheticModel();
        model.config.putAll(Map.of("num_experts", experts, "num_experts_per_tok", topK, "moe_intermediate_size", width,
                "intermediate_size", 48, "norm_topk_prob", true));
        model.fill(experts, width);
        return model;
    }

    public SyntheticModel with(String field, Object value) {
        config.put(field, value);
        return this;
    }

    public SyntheticModel without(String name) {
        config.remove(name);
        tensors.remove(name);
        return this;
    }

    public SyntheticModel tensor(String name, float[] numbers, long... shape) {
        tensors.put(name, numbers);
        shapes.put(name, shape);
        return this;
    }

    public float[] tensor(String name) {
        return tensors.get(name);
    }

    public Path write(Path folder) {
        try {
            Files.createDirectories(folder);
            Files.write(folder.resolve("config.json"), new ObjectMapper().writeValueAsBytes(config));
            SafetensorsWriter.write(folder.resolve("model.safetensors"), Map.of("format", "pt"), contents());
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public List<Content> contents() {
        var contents = new ArrayList<Content>();
        tensors.forEach((name, numbers) -> {
            MemorySegment data = Arena.ofAuto().allocateFrom(ValueLayout.JAVA_FLOAT, numbers);
            contents.add(new Content(name, ElementType.F32, shapes.get(name), data));
        });
        return contents;
    }

    private void fill(int experts, int width) {
        var random = new Random(5);
        put(random, "model.embed_tokens.weight", 60, 32);
        put(random, "lm_head.weight", 60, 32);
        put(random, "model.norm.weight", 32);
        for (int layer = 0; layer < 2; layer++) {
            String at = "model.layers." + layer + ".";
            put(random, at + "input_layernorm.weight", 32);
            put(random, at + "post_attention_layernorm.weight", 32);
            put(random, at + "self_attn.q_proj.weight", 32, 32);
            put(random, at + "self_attn.k_proj.weight", 16, 32);
            put(random, at + "self_attn.v_proj.weight", 16, 32);
            put(random, at + "self_attn.o_proj.weight", 32, 32);
            put(random, at + "self_attn.q_norm.weight", 8);
            put(random, at + "self_attn.k_norm.weight", 8);
            put(random, at + "mlp.gate.weight", experts, 32);
            for (int expert = 0; expert < experts; expert++) {
                put(random, at + "mlp.experts." + expert + ".gate_proj.weight", width, 32);
                put(random, at + "mlp.experts." + expert + ".up_proj.weight", width, 32);
                put(random, at + "mlp.experts." + expert + ".down_proj.weight", 32, width);
            }
        }
    }

    private void put(Random random, String name, int... shape) {
        int size = 1;
        long[] longs = new long[shape.length];
        for (int i = 0; i < shape.length; i++) {
            size *= shape[i];
            longs[i] = shape[i];
        }
        float[] numbers = new float[size];
        for (int i = 0; i < size; i++) {
            numbers[i] = shape.length == 1 ? 1 + (float) random.nextGaussian() * 0.1f
                    : (float) (random.nextGaussian() / Math.sqrt(shape[shape.length - 1]));
        }
        tensor(name, numbers, longs);
    }

    /// Joins the three experts of width 16 of a layer into stacks, as transformers 5 saves them.
    ///
    /// @param experts what their names begin with
    public void fuse(String experts) {
        float[] gateUp = new float[3 * 2 * 16 * 32];
        float[] down = new float[3 * 32 * 16];
        for (int e = 0; e < 3; e++) {
            System.arraycopy(tensor(experts + e + ".gate_proj.weight"), 0, gateUp, e * 1024, 512);
            System.arraycopy(tensor(experts + e + ".up_proj.weight"), 0, gateUp, e * 1024 + 512, 512);
            System.arraycopy(tensor(experts + e + ".down_proj.weight"), 0, down, e * 512, 512);
            without(experts + e + ".gate_proj.weight").without(experts + e + ".up_proj.weight").without(experts + e + ".down_proj.weight");
        }
        tensor(experts + "gate_up_proj", gateUp, 3, 32, 32).tensor(experts + "down_proj", down, 3, 32, 16);
    }
}
