package dev.sluice.text.record;

import dev.sluice.text.digest.Sha256;
import java.util.List;
import java.util.Map;

/// Turns the bytes of one record into a normalised example, or into a refusal that says why. Never throws on any input
/// and is safe to share between threads.
///
/// Formats, tried in this order: `messages`; `prompt` with `completion` (both text or both messages); ShareGPT
/// `conversations`; `text`; Alpaca `instruction`, `input`, `output`. Other fields of the record are ignored.
public final class RecordParser {

    private final JsonReader reader;
    private final MessageNormaliser messages;

    public RecordParser() {
        this(RecordLimits.DEFAULT);
    }

    public RecordParser(RecordLimits limits) {
        reader = new JsonReader(limits);
        messages = new MessageNormaliser(reader);
    }

    /// @param record one JSON object, UTF-8
    public Outcome parse(byte[] record) {
        try {
            Example example = example(Fields.of("The record", reader.read(record)));
            byte[] json = CanonicalJson.write(example);
            return new Outcome.Accepted(example, json, Sha256.hex(json));
        } catch (RefusedException e) {
            return e.outcome();
        }
    }

    private Example example(Fields record) {
        if (record.has("messages")) {
            return conversation(record, messages.chat(record, "messages"));
        }
        if (record.has("prompt") && record.has("completion")) {
            return completion(record);
        }
        if (record.has("conversations")) {
            return conversation(record, messages.shareGpt(record, "conversations"));
        }
        if (record.has("text")) {
            return new Example.PlainText(record.text("text"));
        }
        if (record.has("instruction") && record.has("output")) {
            return conversation(record, messages.alpaca(record));
        }
        throw new RefusedException(Refusal.UNKNOWN_FORMAT, "The record has the fields " + record.names()
                + ", which fit no known format. Send 'messages', 'prompt' and 'completion', 'conversations', 'text', or"
                + " 'instruction' and 'output'.");
    }

    private Example conversation(Fields record, List<Map<String, Object>> turns) {
        requireAssistant(turns, "The conversation");
        return new Example.Conversation(turns, messages.tools(record));
    }

    private Example completion(Fields record) {
        if (record.get("prompt") instanceof String && record.get("completion") instanceof String) {
            return new Example.TextCompletion(record.textOrEmpty("prompt"), record.text("completion"));
        }
        var completion = messages.chat(record, "completion");
        requireAssistant(completion, "The completion");
        return new Example.MessageCompletion(messages.chat(record, "prompt"), completion, messages.tools(record));
    }

    private static void requireAssistant(List<Map<String, Object>> turns, String what) {
        if (turns.stream().noneMatch(turn -> "assistant".equals(turn.get("role")))) {
            throw new RefusedException(Refusal.NO_ASSISTANT_TURN, what + " has no turn of the assistant, so there is nothing"
                    + " to train on. Add the answer as a message with the role 'assistant'.");
        }
    }
}
