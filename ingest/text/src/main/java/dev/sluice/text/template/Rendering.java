package dev.sluice.text.template;

import java.util.List;

/// What a template made of a conversation.
///
/// @param text           the rendered text
/// @param assistantSpans parts that the template marks with `{% generation %}`, in code points of `text`
public record Rendering(String text, List<Span> assistantSpans) {

    public Rendering {
        assistantSpans = List.copyOf(assistantSpans);
    }
}
