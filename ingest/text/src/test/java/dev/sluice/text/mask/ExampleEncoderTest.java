package dev.sluice.text.mask;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.sluice.text.SampleModel;
import dev.sluice.text.record.Example;
import dev.sluice.text.record.Outcome;
import dev.sluice.text.record.RecordParser;
import dev.sluice.text.template.ChatTemplate;
import dev.sluice.text.tokenizer.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class ExampleEncoderTest {

    private static final String WITHOUT_MARKS = """
            {%- for m in messages %}
            {{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}
            {%- endfor %}
            {%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{% endif %}""";
    /// Like several reasoning models: the last answer carries an empty reasoning block, earlier ones carry none, and the
    /// prompt for an answer opens one.
    private static final String REASONING = """
            {%- for m in messages %}
            {{- '<|im_start|>' + m.role + '\\n' }}
            {%- if m.role == 'assistant' and loop.last %}{{- '<think>\\n\\n</think>\\n\\n' }}{% endif %}
            {{- m.content.split('</think>')[-1].strip() + '<|im_end|>\\n' }}
            {%- endfor %}
            {%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n<think>\\n' }}{% endif %}""";
    private static Tokenizer tokenizer;

    @BeforeAll
    static void load() {
        tokenizer = SampleModel.tokenizer();
    }

    @AfterAll
    static void close() {
        tokenizer.close();
    }

    private static Example example(String json) {
        return assertInstanceOf(Outcome.Accepted.class, new RecordParser().parse(json.replace('`', '"').getBytes(StandardCharsets.UTF_8)))
                .example();
    }

    private static ExampleEncoder encoder(String template, MaskSettings settings) {
        return new ExampleEncoder(tokenizer, Optional.of(ChatTemplate.compile(template)), settings);
    }

    private static TokenRow row(RowOutcome outcome) {
        return assertInstanceOf(RowOutcome.Row.class, outcome, outcome.toString()).row();
    }

    private static RowOutcome.Refused refusal(RowOutcome outcome) {
        return assertInstanceOf(RowOutcome.Refused.class, outcome);
    }

    /// What the row trains, as text, with a bar between its stretches.
    private static String trained(TokenRow row) {
        var out = new StringBuilder();
        for (int i = 0; i < row.length(); i++) {
            if (row.mask()[i] == 1) {
                int from = i;
                while (i < row.length() && row.mask()[i] == 1) {
                    i++;
                }
                out.append(out.isEmpty() ? "" : "|").append(tokenizer.decode(Arrays.copyOfRange(row.ids(), from, i)));
            }
        }
        return out.toString();
    }

    @Test
    void idsAndMasksEqualThoseOfTransformers() {
        assertRowsEqual(new ExampleEncoder(tokenizer, new MaskSettings(4_096)));
    }

    @Test
    void templateWithoutMarksGivesTheSameMasksByAlignment() {
        assertRowsEqual(encoder(WITHOUT_MARKS, new MaskSettings(4_096)));
    }

    private static void assertRowsEqual(ExampleEncoder encoder) {
        for (JsonNode expected : SampleModel.rows()) {
            TokenRow row = row(encoder.encode(example(expected.get("record").toString().replace("`", "\\u0060"))));
            assertEquals(expected.get("ids").toString(), Arrays.toString(row.ids()).replace(" ", ""));
            assertEquals(expected.get("mask").toString(), Arrays.toString(row.mask()).replace(" ", ""));
        }
    }

    @Test
    void endOfTurnIsTrainedAndTheSpaceBehindItIsNot() {
        var encoder = encoder(WITHOUT_MARKS, new MaskSettings(512));
        assertEquals("kernel<|im_end|>|rank one<|im_end|>", trained(row(encoder.encode(example("""
                {`messages`: [{`role`: `user`, `content`: `a`}, {`role`: `assistant`, `content`: `kernel`},
                 {`role`: `user`, `content`: `b`}, {`role`: `assistant`, `content`: `rank one`}]}""")))));
    }

    @Test
    void turnsThatTheTemplateRendersUnlikeTheLastAreFound() {
        var encoder = encoder(REASONING, new MaskSettings(512));
        assertEquals("kernel<|im_end|>|\n</think>\n\nrank<|im_end|>", trained(row(encoder.encode(example("""
                {`messages`: [{`role`: `user`, `content`: `a`}, {`role`: `assistant`, `content`: `kernel`},
                 {`role`: `user`, `content`: `b`}, {`role`: `assistant`, `content`: `rank`}]}""")))));
    }

    /// Reasoning between two tags, for which the sample's tokens stand in, and no end of turn: earlier answers keep the tags only.
    @Test
    void turnsWhoseReasoningIsDroppedBetweenItsTagsAreFound() {
        var encoder = encoder("""
                {%- for m in messages %}{{- '<|im_end|>' + m.role + '\\n' }}
                {%- if m.role == 'assistant' %}{{- '<|endoftext|>' + (m.content.split('<|im_start|>')[0].strip() if loop.last else '') + '<|im_start|>\\n' }}{% endif %}
                {{- m.content.split('<|im_start|>')[-1].strip() }}
                {%- endfor %}
                {%- if add_generation_prompt %}{{- '<|im_end|>assistant\\n' }}{% endif %}""", new MaskSettings(512));
        assertEquals("<|endoftext|><|im_start|>\nkernel|<|endoftext|>so<|im_start|>\nrank", trained(row(encoder.encode(example("""
                {`messages`: [{`role`: `user`, `content`: `a`}, {`role`: `assistant`, `content`: `why<|im_start|>kernel`},
                 {`role`: `user`, `content`: `b`}, {`role`: `assistant`, `content`: `so<|im_start|>rank`}]}""")))));
    }

    /// An empty reasoning block before the last turn only, and a turn that calls a tool and says nothing.
    @Test
    void callsOfToolsAreFound() {
        var encoder = encoder("""
                {%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' }}
                {%- if m.role == 'assistant' and loop.last %}{{- '<|endoftext|>\\n' }}{% endif %}
                {{- m.content or '' }}{% for call in m.tool_calls or [] %}{{- 'call ' + call.function.name }}{% endfor %}
                {{- '<|im_end|>\\n' }}
                {%- endfor %}
                {%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{% endif %}""", new MaskSettings(512));
        assertEquals("call kernel<|im_end|>|<|endoftext|>\nrank<|im_end|>", trained(row(encoder.encode(example("""
                {`messages`: [{`role`: `user`, `content`: `a`},
                 {`role`: `assistant`, `tool_calls`: [{`type`: `function`, `function`: {`name`: `kernel`, `arguments`: {}}}]},
                 {`role`: `tool`, `content`: `b`}, {`role`: `assistant`, `content`: `rank`}]}""")))));
    }

    @Test
    void turnsThatEndWithAnotherTokenThanTheLastAreFound() {
        var another = encoder("{% for m in messages %}{{ m.role + ': ' + m.content }}{% if m.role == 'assistant' and loop.last %}"
                + "{{ '<|endoftext|>' }}{% else %}{{ '<|im_end|>' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}",
                new MaskSettings(512));
        var further = encoder(WITHOUT_MARKS.replace("{%- endfor %}", "{%- endfor %}{% if messages[-1].role == 'assistant' %}{{ '<|endoftext|>' }}{% endif %}"),
                new MaskSettings(512));
        Example example = example("""
                {`messages`: [{`role`: `user`, `content`: `a`}, {`role`: `assistant`, `content`: `kernel`},
                 {`role`: `user`, `content`: `b`}, {`role`: `assistant`, `content`: `rank`}]}""");
        assertEquals("kernel<|im_end|>|rank<|endoftext|>", trained(row(another.encode(example))).replace(" ", ""));
        assertEquals("kernel<|im_end|>|rank<|im_end|>\n<|endoftext|>", trained(row(further.encode(example))));
    }

    @Test
    void turnThatCannotBeFoundIsRefused() {
        var refused = refusal(encoder("{% for m in messages %}{{ m.content|upper if loop.last else m.content|lower }};{% endfor %}",
                new MaskSettings(512)).encode(example("""
                {`messages`: [{`role`: `user`, `content`: `a`}, {`role`: `assistant`, `content`: `Kernel`},
                 {`role`: `user`, `content`: `b`}, {`role`: `assistant`, `content`: `rank`}]}""")));
        assertEquals(RowOutcome.Code.NOT_ALIGNABLE, refused.code());
        assertTrue(refused.reason().contains("{% generation %}"), refused.reason());
    }

    @Test
    void everyTokenIsTrainedWithoutAssistantOnly() {
        var row = row(new ExampleEncoder(tokenizer, new MaskSettings(512, false, false, true, Map.of())).encode(example("""
                {`messages`: [{`role`: `user`, `content`: `a`}, {`role`: `assistant`, `content`: `b`}]}""")));
        assertEquals(row.length() - 1, row.trainedTokens());
    }

    @Test
    void plainTextIsTrainedWholeAndEndsWithTheEndToken() {
        assertEquals("token rank 😀<|im_end|>", trained(row(new ExampleEncoder(tokenizer, new MaskSettings(512))
                .encode(new Example.PlainText("token rank 😀")))));
    }

    @Test
    void onlyTheCompletionOfAPromptIsTrained() {
        var example = new Example.TextCompletion("é😀 rank is ", "token ✓");
        // The token that holds the completion's first letter holds the space before it too.
        assertEquals(" token ✓<|im_end|>", trained(row(new ExampleEncoder(tokenizer, new MaskSettings(512)).encode(example))));
        var all = new MaskSettings(512, true, false, false, Map.of());
        assertEquals("é😀 rank is token ✓", trained(row(new ExampleEncoder(tokenizer, all).encode(example))));
    }

    @Test
    void onlyTheCompletionOfAConversationIsTrained() {
        Example example = example("""
                {`prompt`: [{`role`: `user`, `content`: `a`}, {`role`: `assistant`, `content`: `given`}, {`role`: `user`, `content`: `b`}],
                 `completion`: [{`role`: `assistant`, `content`: `wanted`}]}""");
        var encoder = new ExampleEncoder(tokenizer, new MaskSettings(512));
        assertEquals("wanted<|im_end|>", trained(row(encoder.encode(example))));
        var both = new ExampleEncoder(tokenizer, new MaskSettings(512, true, false, true, Map.of()));
        assertEquals("given<|im_end|>|wanted<|im_end|>", trained(row(both.encode(example))));
    }

    @Test
    void longRowIsCutAndFlagged() {
        var example = new Example.PlainText("token ".repeat(100));
        TokenRow row = row(new ExampleEncoder(tokenizer, new MaskSettings(16)).encode(example));
        assertEquals(16, row.length());
        assertTrue(row.truncated());
        TokenRow whole = row(new ExampleEncoder(tokenizer, new MaskSettings(4_096)).encode(example));
        assertArrayEquals(Arrays.copyOf(whole.ids(), 16), row.ids());
    }

    @Test
    void rowWhoseAnswerIsCutOffIsRefused() {
        var refused = refusal(new ExampleEncoder(tokenizer, new MaskSettings(8)).encode(example("""
                {`messages`: [{`role`: `user`, `content`: `a long question that fills all of the row`},
                 {`role`: `assistant`, `content`: `b`}]}""")));
        assertEquals(RowOutcome.Code.NOTHING_TO_TRAIN, refused.code());
        assertTrue(refused.reason().contains("maximum length of 8"), refused.reason());
    }

    @Test
    void conversationThatTheTemplateRefusesIsRefusedWithItsWords() {
        var refused = refusal(encoder("{{ raise_exception('roles must alternate') }}", new MaskSettings(8)).encode(example("""
                {`messages`: [{`role`: `assistant`, `content`: `b`}]}""")));
        assertEquals(RowOutcome.Code.TEMPLATE_FAILED, refused.code());
        assertTrue(refused.reason().contains("roles must alternate"), refused.reason());
    }

    @Test
    void modelWithoutTemplateStillTakesText() {
        var encoder = new ExampleEncoder(tokenizer, Optional.empty(), new MaskSettings(64));
        row(encoder.encode(new Example.PlainText("token")));
        assertEquals(RowOutcome.Code.NO_TEMPLATE, refusal(encoder.encode(example("""
                {`messages`: [{`role`: `assistant`, `content`: `b`}]}"""))).code());
    }

    @Test
    void templateVariablesReachTheTemplate() {
        var settings = new MaskSettings(64, true, true, true, Map.of("enable_thinking", false));
        var encoder = encoder("{% if enable_thinking is false %}{{ eos_token }}{% endif %}", settings);
        assertArrayEquals(new int[] {2}, encoder.promptIds(List.of(Map.of("role", "user", "content", "x")), List.of()));
    }

    @Test
    void promptForGenerationEndsWhereTheAnswerBegins() {
        int[] ids = new ExampleEncoder(tokenizer, new MaskSettings(64)).promptIds(List.of(Map.of("role", "user", "content", "rank?")), List.of());
        assertEquals("<|im_start|>user\nrank?<|im_end|>\n<|im_start|>assistant\n", tokenizer.decode(ids));
        assertThrows(IllegalArgumentException.class, () -> encoder("{{ 1 + 'a' }}", new MaskSettings(8)).promptIds(List.of(), List.of()));
    }
}
