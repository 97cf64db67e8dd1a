package dev.sluice.text.mask;

import dev.sluice.text.record.Example;
import dev.sluice.text.template.ChatTemplate;
import dev.sluice.text.template.Rendering;
import dev.sluice.text.template.Span;
import dev.sluice.text.tokenizer.Encoded;
import dev.sluice.text.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Turns examples into token ids and loss masks. Conversations are rendered whole and encoded once, so the ids are those
/// the model sees when it is used. Safe to share between threads.
public final class ExampleEncoder {

    private final Tokenizer tokenizer;
    private final MaskSettings settings;
    private final Optional<ChatRenderer> renderer;

    /// With the model's own chat template.
    ///
    /// @throws dev.sluice.text.template.TemplateException when the template does not compile
    public ExampleEncoder(Tokenizer tokenizer, MaskSettings settings) {
        this(tokenizer, tokenizer.chatTemplate().map(ChatTemplate::compile), settings);
    }

    /// @param template empty for a model that knows no conversations
    public ExampleEncoder(Tokenizer tokenizer, Optional<ChatTemplate> template, MaskSettings settings) {
        this.tokenizer = tokenizer;
        this.settings = settings;
        renderer = template.map(it -> new ChatRenderer(it, tokenizer.specialTokens().byName(), settings.templateVariables()));
    }

    /// The example's row, or why there is none.
    public RowOutcome encode(Example example) {
        try {
            return cut(switch (example) {
                case Example.Conversation(var messages, var tools) -> conversation(messages, tools, List.of());
                case Example.MessageCompletion(var prompt, var completion, var tools) ->
                    conversation(joined(prompt, completion), tools, settings.completionOnly() ? prompt : List.of());
                case Example.TextCompletion(var prompt, var completion) -> text(prompt, completion);
                case Example.PlainText(var text) -> text("", text);
            });
        } catch (RefusedRowException e) {
            return e.outcome();
        }
    }

    /// Ids of a conversation that waits for the assistant's answer.
    ///
    /// @throws IllegalArgumentException when the template refuses the messages
    public int[] promptIds(List<Map<String, Object>> messages, List<Object> tools) {
        try {
            return tokenizer.encode(renderer().text(messages, tools, true)).ids();
        } catch (RefusedRowException e) {
            throw new IllegalArgumentException("Rendering a prompt for generation: " + e.getMessage(), e);
        }
    }

    private ChatRenderer renderer() {
        return renderer.orElseThrow(() -> new RefusedRowException(RowOutcome.Code.NO_TEMPLATE, "The model's folder has no chat"
                + " template, so conversations cannot be rendered. Add chat_template.jinja to it, or send 'text'."));
    }

    /// @param given the first of the messages that are not trained whoever says them
    private TokenRow conversation(List<Map<String, Object>> messages, List<Object> tools, List<Map<String, Object>> given) {
        Rendering whole = renderer().render(messages, tools, false);
        Encoded tokens = tokenizer.encode(whole.text());
        var mapping = new TokenMask(tokens);
        byte[] mask = settings.assistantOnly() ? mapping.of(spans(messages, tools, whole, tokens))
                : TokenMask.everything(tokens.length());
        if (!given.isEmpty()) {
            int begin = alignment().begin(given, tools, whole.text(), tokens);
            TokenMask.intersect(mask, mapping.of(List.of(from(whole.text(), begin))));
        }
        return row(tokens, mask);
    }

    private static List<Map<String, Object>> joined(List<Map<String, Object>> first, List<Map<String, Object>> second) {
        var joined = new ArrayList<>(first);
        joined.addAll(second);
        return joined;
    }

    /// The text from an index in UTF-16 units to its end.
    private static Span from(String text, int begin) {
        return new Span(text.codePointCount(0, begin), text.codePointCount(0, text.length()));
    }

    private List<Span> spans(List<Map<String, Object>> messages, List<Object> tools, Rendering whole, Encoded tokens) {
        return renderer().marksAssistant() ? whole.assistantSpans()
                : alignment().spans(messages, tools, whole.text(), tokens);
    }

    private PrefixAlignment alignment() {
        return new PrefixAlignment(renderer(), tokenizer);
    }

    private TokenRow text(String prompt, String completion) {
        String eos = settings.appendEos() ? tokenizer.specialTokens().eos().orElse("") : "";
        String text = prompt + completion + (completion.endsWith(eos) ? "" : eos);
        Encoded tokens = tokenizer.encode(text);
        int begin = settings.completionOnly() ? prompt.length() : 0;
        return withPrefix(row(tokens, new TokenMask(tokens).of(List.of(from(text, begin)))));
    }

    private TokenRow withPrefix(TokenRow row) {
        int[] prefix = tokenizer.textPrefix();
        if (prefix.length == 0 || row.length() > 0 && row.ids()[0] == prefix[0]) {
            return row;
        }
        int[] ids = Arrays.copyOf(prefix, prefix.length + row.length());
        byte[] mask = new byte[ids.length];
        System.arraycopy(row.ids(), 0, ids, prefix.length, row.length());
        System.arraycopy(row.mask(), 0, mask, prefix.length, row.length());
        return new TokenRow(ids, mask, false);
    }

    private static TokenRow row(Encoded tokens, byte[] mask) {
        return new TokenRow(tokens.ids(), mask, false);
    }

    private RowOutcome cut(TokenRow row) {
        int max = settings.maxLength();
        TokenRow cut = row.length() <= max ? row
                : new TokenRow(Arrays.copyOf(row.ids(), max), Arrays.copyOf(row.mask(), max), true);
        if (cut.trainedTokens() > 0) {
            return new RowOutcome.Row(cut);
        }
        return new RowOutcome.Refused(RowOutcome.Code.NOTHING_TO_TRAIN, "None of the row's " + cut.length()
                + " tokens would be trained" + (cut.truncated() ? ", since its answers lie behind the maximum length of " + max
                + ". Raise the maximum length or shorten the prompt." : ". Give the assistant something to say."));
    }
}
