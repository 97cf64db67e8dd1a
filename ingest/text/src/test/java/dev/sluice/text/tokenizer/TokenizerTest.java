package dev.sluice.text.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sluice.text.SampleModel;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenizerTest {

    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    private Path folder;

    private void write(String name, String text) throws IOException {
        Files.writeString(folder.resolve(name), text);
    }

    private Tokenizer load() {
        return Tokenizer.load(folder);
    }

    private void copyTokenizer() throws IOException {
        Files.copy(SampleModel.folder().resolve("tokenizer.json"), folder.resolve("tokenizer.json"));
    }

    @Test
    void offsetsCountCodePointsAndTokensOfOneCharacterShareIt() {
        try (var tokenizer = SampleModel.tokenizer()) {
            Encoded encoded = tokenizer.encode("😀é<|im_end|>x");
            assertEquals(2, encoded.ids()[encoded.length() - 2]);
            assertEquals(0, encoded.starts()[0]);
            assertEquals(1, encoded.ends()[0]);
            assertEquals(2, encoded.starts()[encoded.length() - 2]);
            assertEquals(12, encoded.starts()[encoded.length() - 1]);
            assertEquals("😀é<|im_end|>x", tokenizer.decode(encoded.ids()));
            assertEquals("😀éx", tokenizer.decodeText(encoded.ids()));
        }
    }

    @Test
    void manyTextsGiveTheSameAsOneByOneAndEmptyTextGivesNothing() {
        try (var tokenizer = SampleModel.tokenizer()) {
            List<String> texts = List.of("router", "", "a much longer text than the others", "é");
            List<Encoded> together = tokenizer.encode(texts);
            for (int i = 0; i < texts.size(); i++) {
                assertArrayEquals(tokenizer.encode(texts.get(i)).ids(), together.get(i).ids());
            }
            assertEquals(0, together.get(1).length());
            assertEquals(List.of(), tokenizer.encode(List.of()));
        }
    }

    @Test
    void filesTruncationAndPaddingAreIgnored() throws IOException {
        String json = Files.readString(SampleModel.folder().resolve("tokenizer.json"))
                .replace("\"truncation\": null", "\"truncation\": {\"direction\": \"Right\", \"max_length\": 3, \"strategy\": \"LongestFirst\", \"stride\": 0}")
                .replace("\"padding\": null", "\"padding\": {\"strategy\": {\"Fixed\": 50}, \"direction\": \"Right\", \"pad_to_multiple_of\": null, \"pad_id\": 0, \"pad_type_id\": 0, \"pad_token\": \"<|endoftext|>\"}");
        assertTrue(json.contains("\"max_length\": 3") && json.contains("\"Fixed\": 50"));
        write("tokenizer.json", json);
        try (var tokenizer = load(); var plain = SampleModel.tokenizer()) {
            String text = "adapter router expert token kernel";
            assertArrayEquals(plain.encode(text).ids(), tokenizer.encode(text).ids());
            assertArrayEquals(plain.encode(text).ids(), tokenizer.encode(List.of(text, "a")).getFirst().ids());
        }
    }

    @Test
    void specialTokensAreReadAsTextAndAsObjects() throws IOException {
        copyTokenizer();
        write("special_tokens_map.json", "{\"eos_token\": \"old\", \"unk_token\": {\"content\": \"<unk>\", \"lstrip\": false}}");
        write("tokenizer_config.json", "{\"bos_token\": null, \"eos_token\": {\"content\": \"<|im_end|>\"}, \"pad_token\": \"<|endoftext|>\", \"add_bos_token\": false}");
        write("config.json", "{\"eos_token_id\": [2, 7]}");
        try (var tokenizer = load()) {
            assertEquals(Map.of("eos_token", "<|im_end|>", "unk_token", "<unk>", "pad_token", "<|endoftext|>"), tokenizer.specialTokens().byName());
            assertEquals(Optional.empty(), tokenizer.specialTokens().bos());
            assertEquals(Set.of(2, 7), tokenizer.stopTokens().ids());
            assertEquals(Set.of("<|endoftext|>", "<|im_start|>", "<|im_end|>"), tokenizer.addedTokens());
            assertEquals(OptionalInt.of(1), tokenizer.idOf("<|im_start|>"));
        }
    }

    @Test
    void templateIsFoundInEveryPlaceAndTheJinjaFileWins() throws IOException {
        copyTokenizer();
        try (var none = load()) {
            assertEquals(Optional.empty(), none.chatTemplate());
        }
        write("tokenizer_config.json", "{\"chat_template\": [{\"name\": \"default\", \"template\": \"a\"}, {\"name\": \"rag\", \"template\": \"b\"}]}");
        try (var several = load()) {
            assertEquals(Optional.of("a"), several.chatTemplate());
            assertEquals(Optional.of("b"), several.chatTemplate("rag"));
        }
        write("tokenizer_config.json", "{\"chat_template\": \"c\"}");
        try (var one = load()) {
            assertEquals(Optional.of("c"), one.chatTemplate());
        }
        write("chat_template.json", "{\"chat_template\": \"d\"}");
        try (var own = load()) {
            assertEquals(Optional.of("d"), own.chatTemplate());
        }
        write("chat_template.jinja", "e");
        try (var jinja = load()) {
            assertEquals(Optional.of("e"), jinja.chatTemplate());
            // printf e | sha256sum
            assertEquals("3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea", jinja.chatTemplateSha256());
        }
    }

    @Test
    void plainTextGetsTheBeginTokenThatTheFileAdds() throws IOException {
        var json = (ObjectNode) JSON.readTree(SampleModel.folder().resolve("tokenizer.json").toFile());
        json.set("post_processor", JSON.readTree("""
                {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<|im_start|>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}}], "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"<|im_start|>": {"id": "<|im_start|>", "ids": [1], "tokens": ["<|im_start|>"]}}}"""));
        write("tokenizer.json", json.toString());
        write("tokenizer_config.json", "{\"bos_token\": \"<|im_start|>\"}");
        try (var tokenizer = load(); var plain = SampleModel.tokenizer()) {
            assertArrayEquals(new int[] {1}, tokenizer.textPrefix());
            assertArrayEquals(plain.encode("rank").ids(), tokenizer.encode("rank").ids());
            assertArrayEquals(new int[0], plain.textPrefix());
        }
    }

    @Test
    void missingFileIsNamedWithAWayOut() {
        var error = assertThrows(ModelFileException.class, this::load);
        assertTrue(error.getMessage().contains("tokenizer.json: is missing. Download"), error.getMessage());
        var noFolder = assertThrows(ModelFileException.class, () -> Tokenizer.load(folder.resolve("nowhere")));
        assertTrue(noFolder.getMessage().contains("is not a folder"), noFolder.getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{", "[]", "{}", "{\"model\": {}}", "{\"model\": {\"type\": \"BPE\"}}", "{\"model\": {\"type\": \"Nope\"}}", "{\"model\": 5}",
        "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"a b\"]}}", "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": -1}, \"merges\": []}}",
        "{\"model\": {\"type\": \"BPE\", \"vocab\": {}, \"merges\": []}} trailing", "{\"added_tokens\": [1], \"model\": {\"type\": \"BPE\", \"vocab\": {}, \"merges\": []}}",
        "{\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"(\"}, \"behavior\": \"Isolated\", \"invert\": false}, \"model\": {\"type\": \"BPE\", \"vocab\": {}, \"merges\": []}}"})
    void damagedTokenizerIsRefusedByName(String json) throws IOException {
        write("tokenizer.json", json);
        var error = assertThrows(ModelFileException.class, this::load);
        assertEquals(folder.resolve("tokenizer.json"), error.file());
        assertTrue(error.getMessage().endsWith("Download the file again from the model's repository."), error.getMessage());
    }

    @Test
    void hostileTokenizersAreRefusedSoon() throws IOException {
        String model = "\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": []}}";
        var added = new StringBuilder("{\"added_tokens\": [");
        for (int i = 0; i < 200_000; i++) {
            added.append(i == 0 ? "" : ",").append("{\"id\":").append(i + 1).append(",\"content\":\"t").append(i).append("\",\"special\":true}");
        }
        String deep = "{\"x\":" + "[".repeat(1_000_000);
        String pattern = "{\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"" + "(a+)+".repeat(2_000) + "\"}}, " + model;
        String explosive = "{\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"(a+)+$\"}}, " + model;
        for (String json : List.of(added + "], " + model, deep, pattern, explosive)) {
            Files.write(folder.resolve("tokenizer.json"), json.getBytes(StandardCharsets.UTF_8));
            assertTimeoutPreemptively(Duration.ofSeconds(10), () -> assertThrows(ModelFileException.class, this::load));
        }
    }

    @Test
    void damagedSmallFilesAreRefusedByName() throws IOException {
        copyTokenizer();
        write("tokenizer_config.json", "{");
        assertTrue(assertThrows(ModelFileException.class, this::load).getMessage().contains("tokenizer_config.json: is not valid JSON"));
    }

    @Test
    void hashIsThatOfTheFile() {
        try (var tokenizer = SampleModel.tokenizer()) {
            assertEquals("fef16dd42ff90074fe31a319fdecb92cde725011292498d61bb284bc8c4de7da", tokenizer.sha256());
        }
    }
}
