package dev.sluice.text.template;

import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// A Hugging Face chat template: the part of Jinja 2 that such templates use, with `trim_blocks`, `lstrip_blocks`, loop
/// controls, `{% generation %}`, `raise_exception`, `strftime_now` and `tojson` as transformers sets them up.
///
/// Templates compute over JSON values only. There are no Java objects behind them and no reflection, so nothing to escape
/// to, and every rendering ends within its [Budget]. A construct outside of the subset is an error that names it, never
/// other text than Jinja's. Compiled templates are immutable and safe to share between threads.
public final class ChatTemplate {

    private static final int MAX_SOURCE = 1 << 20;

    private final List<Node> body;
    private final Frames frames;
    private final boolean marksAssistant;
    private final Budget budget;
    private final Clock clock;

    private ChatTemplate(StatementParser.Parsed parsed, Budget budget, Clock clock) {
        this.body = parsed.body();
        this.frames = Frames.of(body);
        this.marksAssistant = parsed.marksAssistant();
        this.budget = Objects.requireNonNull(budget, "budget");
        this.clock = Objects.requireNonNull(clock, "clock");
    }

    /// With the default budget and the system's clock.
    ///
    /// @throws TemplateException when the source is no template, or uses what is not supported
    public static ChatTemplate compile(String source) {
        return compile(source, Budget.DEFAULT, Clock.systemDefaultZone());
    }

    /// @param clock what `strftime_now` reads; a fixed one makes renderings repeatable
    /// @throws TemplateException when the source is no template, or uses what is not supported
    public static ChatTemplate compile(String source, Budget budget, Clock clock) {
        var start = new Position(1, 1);
        if (source.length() > MAX_SOURCE) {
            throw TemplateException.at(start, TemplateException.Kind.BUDGET, "the template has " + source.length()
                    + " characters; at most " + MAX_SOURCE + " are allowed");
        }
        try {
            return new ChatTemplate(StatementParser.parse(source), budget, clock);
        } catch (EvaluationError e) {
            throw e.at(start);
        } catch (StackOverflowError e) {
            throw TemplateException.at(start, TemplateException.Kind.BUDGET, "the template is nested too deeply");
        }
    }

    /// Whether the template marks the assistant's part with `{% generation %}`.
    public boolean marksAssistant() {
        return marksAssistant;
    }

    /// Renders the template.
    ///
    /// @param context variables by name (`messages`, `tools`, `add_generation_prompt`, `bos_token`, ...): maps with text
    ///                keys, lists, text, whole numbers, doubles, booleans and nulls
    /// @throws TemplateException when the template refuses the context, or uses up its budget
    /// @throws IllegalArgumentException when the context holds other than JSON values
    public Rendering render(Map<String, ?> context) {
        var meter = new Meter(budget);
        var globals = new Scope(null, Globals.of(clock, meter));
        var start = new Position(1, 1);
        try {
            return new Interpreter(frames, meter).run(body, new Scope(globals, ContextValues.of(context)));
        } catch (EvaluationError e) {
            throw e.at(start);
        } catch (StackOverflowError e) {
            throw TemplateException.at(start, TemplateException.Kind.BUDGET, "the template calls itself, or nests, too deeply");
        }
    }
}
