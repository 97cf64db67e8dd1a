package dev.sluice.text.template;

import java.util.Map;

/// A Hugging Face chat template.
public final class ChatTemplate {

    private ChatTemplate() {}

    public static ChatTemplate compile(String source) {
        throw TemplateException.at(new Position(1, 1), TemplateException.Kind.UNSUPPORTED, "templates are not interpreted yet");
    }

    public boolean marksAssistant() {
        return false;
    }

    public Rendering render(Map<String, ?> context) {
        throw TemplateException.at(new Position(1, 1), TemplateException.Kind.UNSUPPORTED, "templates are not interpreted yet");
    }
}
