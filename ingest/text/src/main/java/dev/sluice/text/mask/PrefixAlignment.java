package dev.sluice.text.mask;

import dev.sluice.text.template.Span;
import dev.sluice.text.tokenizer.Encoded;
import dev.sluice.text.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/// Finds the assistant's turns in the text of a template that does not mark them, by rendering the conversation up to
/// each turn: a turn begins where the prompt before it ends, and ends where the conversation with it ends.
///
/// Some templates render the last turn unlike the same turn in the middle. Where only its last token differs (an end of
/// text instead of an end of turn), the turn ends with the token that stands there. Where its beginning differs (its
/// reasoning is dropped later, with or without the tags around it), the turn ends where the longest ending of its own
/// rendering ends that holds its answer, or its call of a tool, and stands at the turn's begin, or behind nothing but tags.
/// Anything else is refused.
/// White space after an end-of-turn token belongs to the template, not to the answer.
final class PrefixAlignment {

    private static final int MOST_PLACES = 16;

    private final ChatRenderer renderer;
    private final Tokenizer tokenizer;

    PrefixAlignment(ChatRenderer renderer, Tokenizer tokenizer) {
        this.renderer = renderer;
        this.tokenizer = tokenizer;
    }

    /// @param full   text of the whole conversation
    /// @param tokens its tokens
    List<Span> spans(List<Map<String, Object>> messages, List<Object> tools, String full, Encoded tokens) {
        var spans = new ArrayList<Span>();
        for (int turn = 0; turn < messages.size(); turn++) {
            if ("assistant".equals(messages.get(turn).get("role"))) {
                int begin = begin(messages.subList(0, turn), tools, full, tokens);
                int end = end(messages, turn, tools, full, tokens, begin);
                spans.add(span(full, begin, withoutTrailingSpace(full, begin, end)));
            }
        }
        return spans;
    }

    /// Where an answer to `before` begins in `full`, in UTF-16 units.
    int begin(List<Map<String, Object>> before, List<Object> tools, String full, Encoded tokens) {
        if (before.isEmpty()) {
            return 0;
        }
        String prompt = renderer.text(before, tools, true);
        return full.startsWith(prompt) ? prompt.length() : firstDifference(prompt, full, tokens);
    }

    /// A prompt may end in something that the answer lacks, such as an opened reasoning block. Compared by token, so that
    /// two tags which begin with the same letters do not count as the same.
    private int firstDifference(String prompt, String full, Encoded tokens) {
        int[] ids = tokenizer.encode(prompt).ids();
        int same = 0;
        while (same < Math.min(ids.length, tokens.length()) && ids[same] == tokens.ids()[same]) {
            same++;
        }
        return same == tokens.length() ? full.length() : full.offsetByCodePoints(0, tokens.starts()[same]);
    }

    private int end(List<Map<String, Object>> messages, int turn, List<Object> tools, String full, Encoded tokens, int begin) {
        if (turn == messages.size() - 1) {
            return full.length();
        }
        String upTo = renderer.text(messages.subList(0, turn + 1), tools, false);
        if (upTo.length() > begin && full.startsWith(upTo)) {
            return upTo.length();
        }
        int end = endWithAnotherToken(upTo, full, tokens, begin);
        if (end < 0) {
            String answer = messages.get(turn).get("content") instanceof String content ? answer(content) : "";
            end = endOfLongestEnding(endings(upTo, answer, begin), full, begin);
        }
        if (end < 0) {
            throw new RefusedRowException(RowOutcome.Code.NOT_ALIGNABLE, "The chat template marks no assistant turns, and message "
                    + turn + " cannot be found in its text, because the template renders it unlike the last message of a"
                    + " conversation. Put {% generation %} and {% endgeneration %} around the assistant's part of the template.");
        }
        return end;
    }

    private int endWithAnotherToken(String upTo, String full, Encoded tokens, int begin) {
        int same = firstDifference(upTo, full, tokens);
        String rest = upTo.substring(same).strip();
        if (same <= begin || !rest.isEmpty() && !tokenizer.addedTokens().contains(rest)) {
            return -1;
        }
        if (endsWithAddedToken(full, begin + full.substring(begin, same).stripTrailing().length())) {
            return same;
        }
        return tokenizer.addedTokens().stream().filter(token -> full.startsWith(token, same))
                .mapToInt(token -> same + token.length()).max().orElse(-1);
    }

    /// What a message says behind its last tag: its reasoning stands before.
    private String answer(String content) {
        int begin = tokenizer.addedTokens().stream().mapToInt(token -> content.lastIndexOf(token) < 0 ? 0
                : content.lastIndexOf(token) + token.length()).max().orElse(0);
        String answer = content.substring(begin).strip();
        return answer.isEmpty() ? content.strip() : answer;
    }

    /// Endings of a turn's rendering, longest first: those that hold the answer, or where there is none, as in a call of a
    /// tool, those that leave out nothing but tags.
    private Stream<String> endings(String upTo, String answer, int begin) {
        int first = Math.min(begin, upTo.length());
        IntStream places = answer.isEmpty() ? behindTags(upTo, first).stream().mapToInt(Integer::intValue)
                : IntStream.rangeClosed(first, upTo.lastIndexOf(answer));
        return places.mapToObj(upTo::substring).filter(ending -> !ending.isBlank());
    }

    private int endOfLongestEnding(Stream<String> endings, String full, int begin) {
        List<Integer> places = behindTags(full, begin);
        return endings.flatMapToInt(ending -> places.stream().filter(place -> full.startsWith(ending, place))
                .mapToInt(place -> place + ending.length()).limit(1)).findFirst().orElse(-1);
    }

    /// The place itself and those behind it with nothing but added tokens and white space between.
    private List<Integer> behindTags(String full, int begin) {
        var places = new ArrayList<Integer>();
        for (int at = begin; at >= 0 && places.size() < MOST_PLACES; at = behindTag(full, at)) {
            places.add(at);
        }
        return places;
    }

    private int behindTag(String full, int at) {
        return at < full.length() && Character.isWhitespace(full.charAt(at)) ? at + 1
                : tokenizer.addedTokens().stream().filter(token -> full.startsWith(token, at))
                        .mapToInt(token -> at + token.length()).max().orElse(-1);
    }

    private int withoutTrailingSpace(String full, int begin, int end) {
        int stripped = begin + full.substring(begin, Math.max(begin, end)).stripTrailing().length();
        return endsWithAddedToken(full, stripped) ? stripped : end;
    }

    private boolean endsWithAddedToken(String full, int end) {
        return tokenizer.addedTokens().stream().anyMatch(token -> full.startsWith(token, end - token.length()));
    }

    private static Span span(String full, int begin, int end) {
        return new Span(full.codePointCount(0, begin), full.codePointCount(0, Math.max(begin, end)));
    }
}
