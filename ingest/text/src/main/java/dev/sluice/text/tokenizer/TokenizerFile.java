package dev.sluice.text.tokenizer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import dev.sluice.text.digest.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.Set;

/// Looks a `tokenizer.json` over before native code, which nothing can interrupt, gets to see it.
///
/// @param path        the file
/// @param sha256      of its bytes, lower-case hexadecimal
/// @param addedTokens texts that are one token wherever they stand
record TokenizerFile(Path path, String sha256, Set<String> addedTokens) {

    private static final long MAX_BYTES = 128L << 20;
    private static final int MAX_ADDED_TOKENS = 100_000;
    private static final int MAX_PATTERN = 4_096;
    private static final JsonFactory FACTORY = JsonFactory.builder().streamReadConstraints(StreamReadConstraints.builder()
            .maxNestingDepth(64).maxStringLength(1 << 20).maxDocumentLength(MAX_BYTES).build()).build();

    static TokenizerFile check(ModelFolder folder) {
        Path file = folder.path().resolve("tokenizer.json");
        if (!Files.isRegularFile(file)) {
            throw new ModelFileException(file, "is missing.", "Download tokenizer.json from the model's repository; a model that"
                    + " has only tokenizer.model must be saved once with a fast tokenizer.");
        }
        MessageDigest sha256 = Sha256.digest();
        var added = new LinkedHashSet<String>();
        try (var in = new DigestInputStream(Files.newInputStream(file), sha256)) {
            if (Files.size(file) > MAX_BYTES) {
                throw folder.damaged("tokenizer.json", "has " + Files.size(file) + " bytes; tokenizers of more than "
                        + MAX_BYTES + " are refused.", null);
            }
            try (JsonParser json = FACTORY.createParser(in)) {
                scan(json, folder, added);
            }
        } catch (IOException e) {
            throw folder.damaged("tokenizer.json", "is not a readable tokenizer: " + firstLine(e) + ".", e);
        }
        return new TokenizerFile(file, HexFormat.of().formatHex(sha256.digest()), added);
    }

    private static void scan(JsonParser json, ModelFolder folder, Set<String> added) throws IOException {
        if (json.nextToken() != JsonToken.START_OBJECT) {
            throw folder.damaged("tokenizer.json", "does not hold a JSON object.", null);
        }
        boolean model = false;
        while (json.nextToken() == JsonToken.FIELD_NAME) {
            String section = json.currentName();
            JsonToken value = json.nextToken();
            model |= section.equals("model") && value == JsonToken.START_OBJECT;
            switch (section) {
                case "added_tokens" -> readAddedTokens(json, folder, added);
                case "model" -> json.skipChildren();
                case String ignored -> checkPatterns(json, folder);
            }
        }
        if (!model) {
            throw folder.damaged("tokenizer.json", "has no 'model'.", null);
        }
        if (json.nextToken() != null) {
            throw folder.damaged("tokenizer.json", "goes on after its JSON object.", null);
        }
    }

    /// A flat list of flat objects; anything else is left to the tokenizers library to refuse.
    private static void readAddedTokens(JsonParser json, ModelFolder folder, Set<String> added) throws IOException {
        int depth = 0;
        do {
            depth += nesting(json.currentToken());
            if (depth == 2 && json.currentToken() == JsonToken.VALUE_STRING && "content".equals(json.currentName())) {
                added.add(json.getText());
            }
            if (added.size() > MAX_ADDED_TOKENS) {
                throw folder.damaged("tokenizer.json", "adds more than " + MAX_ADDED_TOKENS + " tokens to its vocabulary.", null);
            }
        } while (depth > 0 && json.nextToken() != null);
    }

    private static int nesting(JsonToken token) {
        return token.isStructStart() ? 1 : token.isStructEnd() ? -1 : 0;
    }

    private static void checkPatterns(JsonParser json, ModelFolder folder) throws IOException {
        int depth = 0;
        do {
            depth += nesting(json.currentToken());
            if (json.currentToken() == JsonToken.VALUE_STRING && "Regex".equals(json.currentName())) {
                checkPattern(json.getText(), folder);
            }
        } while (depth > 0 && json.nextToken() != null);
    }

    private static void checkPattern(String pattern, ModelFolder folder) {
        if (pattern.length() > MAX_PATTERN) {
            throw folder.damaged("tokenizer.json", "splits text by a pattern of " + pattern.length() + " characters; at most "
                    + MAX_PATTERN + " are allowed.", null);
        }
        if (PatternGuard.isExplosive(pattern)) {
            throw folder.damaged("tokenizer.json", "splits text by a pattern that can search for ever: " + pattern + ".", null);
        }
    }

    private static String firstLine(IOException e) {
        return String.valueOf(e.getMessage()).lines().findFirst().orElse("unknown");
    }
}
