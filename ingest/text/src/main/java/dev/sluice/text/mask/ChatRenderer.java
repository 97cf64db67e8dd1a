package dev.sluice.text.mask;

import dev.sluice.text.template.ChatTemplate;
import dev.sluice.text.template.Rendering;
import dev.sluice.text.template.TemplateException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// A chat template with the variables that a model and a job give it.
final class ChatRenderer {

    private final ChatTemplate template;
    private final Map<String, Object> variables;

    ChatRenderer(ChatTemplate template, Map<String, String> specialTokens, Map<String, Object> extra) {
        this.template = template;
        variables = new HashMap<>(specialTokens);
        variables.putAll(extra);
    }

    boolean marksAssistant() {
        return template.marksAssistant();
    }

    Rendering render(List<Map<String, Object>> messages, List<Object> tools, boolean generationPrompt) {
        var context = new HashMap<>(variables);
        context.put("messages", messages);
        context.put("tools", tools.isEmpty() ? null : tools);
        context.put("documents", null);
        context.put("add_generation_prompt", generationPrompt);
        try {
            return template.render(context);
        } catch (TemplateException e) {
            throw new RefusedRowException(RowOutcome.Code.TEMPLATE_FAILED, e.getMessage()
                    + ". Change the conversation to what the template accepts, or leave it out.");
        }
    }

    String text(List<Map<String, Object>> messages, List<Object> tools, boolean generationPrompt) {
        return render(messages, tools, generationPrompt).text();
    }
}
