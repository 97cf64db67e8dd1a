package dev.sluice.text.tokenizer;

import dev.sluice.text.digest.Sha256;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.IntStream;

/// A checkpoint's tokenizer and chat templates, read from its folder alone; nothing is downloaded.
///
/// Text is encoded as it stands: never truncated, never padded, special tokens only where the text spells them. Safe to
/// share between threads. Close it to free the native vocabulary.
public final class Tokenizer implements AutoCloseable {

    private final NativeTokenizer tokenizer;
    private final String sha256;
    private final Set<String> addedTokens;
    private final SpecialTokens specialTokens;
    private final Map<String, String> templates;
    private final StopTokens stopTokens;

    private Tokenizer(ModelFolder folder, TokenizerFile file) {
        sha256 = file.sha256();
        addedTokens = Collections.unmodifiableSet(file.addedTokens());
        specialTokens = SpecialTokensReader.read(folder);
        templates = TemplateFiles.read(folder);
        tokenizer = NativeTokenizer.load(folder, file.path());
        stopTokens = StopTokens.read(folder, specialTokens.eos().map(this::idOf).orElse(OptionalInt.empty()));
    }

    /// Loads `tokenizer.json`, and beside it whatever there is of `tokenizer_config.json`, `special_tokens_map.json`,
    /// `generation_config.json`, `config.json`, `chat_template.jinja` and `chat_template.json`.
    ///
    /// @throws ModelFileException when a file is missing or damaged
    public static Tokenizer load(Path modelFolder) {
        var folder = new ModelFolder(modelFolder);
        return new Tokenizer(folder, TokenizerFile.check(folder));
    }

    /// Token ids of the text with the code points each came from.
    public Encoded encode(String text) {
        return tokenizer.encode(text);
    }

    /// Encodes many texts at once, over the cores of the machine; same result as one by one.
    public List<Encoded> encode(List<String> texts) {
        return tokenizer.encode(texts);
    }

    /// Text of the tokens, special ones spelled out.
    public String decode(int[] ids) {
        return tokenizer.decode(ids, false);
    }

    /// Text of the tokens without the special ones.
    public String decodeText(int[] ids) {
        return tokenizer.decode(ids, true);
    }

    /// Ids which the model's own settings put before a plain text: the beginning-of-text token, or nothing. For texts
    /// without a chat template only; a template writes its own.
    public int[] textPrefix() {
        int[] added = tokenizer.prefix();
        OptionalInt bos = specialTokens.bos().map(this::idOf).orElse(OptionalInt.empty());
        return bos.isPresent() && IntStream.of(added).limit(1).anyMatch(id -> id == bos.getAsInt())
                ? new int[] {bos.getAsInt()} : new int[0];
    }

    /// Id of a text that is exactly one token.
    public OptionalInt idOf(String token) {
        int[] ids = tokenizer.encode(token).ids();
        return ids.length == 1 ? OptionalInt.of(ids[0]) : OptionalInt.empty();
    }

    /// Texts that are one token wherever they stand.
    public Set<String> addedTokens() {
        return addedTokens;
    }

    public SpecialTokens specialTokens() {
        return specialTokens;
    }

    /// Ids that end a generated answer.
    public StopTokens stopTokens() {
        return stopTokens;
    }

    /// Source of the model's chat template.
    public Optional<String> chatTemplate() {
        return chatTemplate(TemplateFiles.DEFAULT);
    }

    /// Source of the template of that name, where a model has several (`default`, `tool_use`, `rag`, ...).
    public Optional<String> chatTemplate(String name) {
        return Optional.ofNullable(templates.get(name));
    }

    /// SHA-256 of `tokenizer.json`, lower-case hexadecimal.
    public String sha256() {
        return sha256;
    }

    /// SHA-256 of the chat template's text, lower-case hexadecimal; of the empty text where there is no template.
    public String chatTemplateSha256() {
        return Sha256.hex(chatTemplate().orElse(""));
    }

    @Override
    public void close() {
        tokenizer.close();
    }
}
