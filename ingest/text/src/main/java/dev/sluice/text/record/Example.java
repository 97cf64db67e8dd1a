package dev.sluice.text.record;

import java.util.List;
import java.util.Map;

/// A training example in the one form that every accepted record is brought into.
///
/// Values inside messages and tools are plain JSON values: `Map<String, Object>` (insertion-ordered), `List`, `String`,
/// `Long`, `BigInteger`, `Double`, `Boolean` and null; all of them unmodifiable. [CanonicalJson] writes an example and
/// [RecordParser] reads it back equal.
public sealed interface Example {

    /// A whole conversation; its assistant turns are trained.
    ///
    /// @param messages `role`, `content` first, every other field of the record after them by name
    /// @param tools    function schemas the template shows to the model, empty when there are none
    record Conversation(List<Map<String, Object>> messages, List<Object> tools) implements Example {}

    /// Messages that are given and messages that answer them.
    record MessageCompletion(List<Map<String, Object>> prompt, List<Map<String, Object>> completion, List<Object> tools)
            implements Example {}

    /// Text that is given and text that continues it; no chat template is applied.
    record TextCompletion(String prompt, String completion) implements Example {}

    /// Plain text, all of it trained.
    record PlainText(String text) implements Example {}
}
