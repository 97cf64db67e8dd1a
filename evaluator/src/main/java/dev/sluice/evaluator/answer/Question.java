package dev.sluice.evaluator.answer;

import dev.sluice.contracts.dataset.SequenceRow;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SequencedCollection;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.IntStream;

/// A held-out prompt with the answer that the data gives.
///
/// @param recordId record it comes from
/// @param prompt token ids before the first trained one: exactly what the model sees before it has to answer
/// @param answerTokens length of the expected answer
/// @param expected text of the expected answer, without its end-of-turn token
public record Question(String recordId, int[] prompt, int answerTokens, String expected) {

    /// `count` questions, spread evenly over those rows that begin with a prompt; all of them if there are fewer.
    ///
    /// @param stopTokens ids that end an answer
    /// @param decode token ids to text without special tokens
    public static List<Question> of(SequencedCollection<SequenceRow> rows, int count, Set<Integer> stopTokens, Function<int[], String> decode) {
        List<SequenceRow> usable = rows.stream().filter(row -> prompt(row).isPresent()).toList();
        int asked = Math.min(count, usable.size());
        return IntStream.range(0, asked).mapToObj(i -> usable.get((int) ((long) i * usable.size() / asked)))
                .map(row -> of(row, prompt(row).orElseThrow(), stopTokens, decode)).toList();
    }

    /// Whether `answer` is the expected one; white space at either end does not count.
    public boolean isAnsweredBy(String answer) {
        return expected.strip().equals(answer.strip());
    }

    private static Question of(SequenceRow row, int[] prompt, Set<Integer> stopTokens, Function<int[], String> decode) {
        int end = prompt.length;
        while (end < row.segmentEnd(0) && row.lossMask().get(end) && !stopTokens.contains(row.tokenIds()[end])) {
            end++;
        }
        int[] answer = Arrays.copyOfRange(row.tokenIds(), prompt.length, end);
        return new Question(row.recordIds().getFirst(), prompt, answer.length, decode.apply(answer));
    }

    /// Empty for plain text, where the first token is trained already, and where the first conversation trains nothing.
    private static Optional<int[]> prompt(SequenceRow row) {
        int first = row.lossMask().nextSetBit(0);
        return first > 0 && first < row.segmentEnd(0) ? Optional.of(Arrays.copyOf(row.tokenIds(), first)) : Optional.empty();
    }
}
