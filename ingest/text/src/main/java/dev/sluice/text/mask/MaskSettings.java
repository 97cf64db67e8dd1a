package dev.sluice.text.mask;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/// How examples become rows.
///
/// @param maxLength         tokens a row may have; longer rows lose their end and are flagged
/// @param assistantOnly     train the assistant's turns of a conversation only, otherwise every token
/// @param completionOnly    train the completion of a prompt/completion example only, otherwise both
/// @param appendEos         end plain texts and completions with the end-of-text token, unless they already do
/// @param templateVariables further variables of the chat template, such as `enable_thinking`; JSON values
public record MaskSettings(int maxLength, boolean assistantOnly, boolean completionOnly, boolean appendEos,
        Map<String, Object> templateVariables) {

    public MaskSettings {
        if (maxLength < 2) {
            throw new IllegalArgumentException("The maximum length must be at least 2 tokens, one to see and one to predict,"
                    + " but is " + maxLength + ".");
        }
        templateVariables = Collections.unmodifiableMap(new LinkedHashMap<>(templateVariables));
    }

    /// Answers only, ended by the end-of-text token, no further variables.
    public MaskSettings(int maxLength) {
        this(maxLength, true, true, true, Map.of());
    }
}
