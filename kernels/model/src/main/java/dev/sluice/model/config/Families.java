package dev.sluice.model.config;

import dev.sluice.model.UnsupportedModelException;
import dev.sluice.model.json.JsonFields;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;

/// The families that are implemented.
public final class Families {
    private static final List<Family> KNOWN = List.of(new Qwen3Moe(), new GptOss(), new Glm4Moe(), new Glm4MoeLite(),
            new DeepseekV3(), new Mixtral(), new Olmoe(), new Ernie45Moe(), new GraniteMoe(),
            new Gemma3Text(), new Lfm2Moe(), new DeepseekV32(), new Qwen3VlMoe());

    private Families() {}

    /// The family of a checkpoint's `config.json`.
    ///
    /// @throws UnsupportedModelException listing the known ones
    public static Family of(JsonFields config) {
        String type = config.text("model_type", "");
        return KNOWN.stream().filter(family -> family.modelType().equals(type)).findFirst()
                .orElseThrow(() -> new UnsupportedModelException(config.file() + ": model_type "
                        + (type.isEmpty() ? "is missing" : type + " is not supported") + "; known are "
                        + KNOWN.stream().map(Family::modelType).collect(Collectors.joining(", "))));
    }

    /// Reads `config.json` of a checkpoint folder.
    public static JsonFields config(Path folder) {
        return JsonFields.read(folder.resolve("config.json"));
    }
}
