package dev.sluice.evaluator.answer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.contracts.dataset.SequenceRow;
import dev.sluice.contracts.dataset.Split;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class QuestionTest {

    private static final int STOP = 2;

    @Test
    void promptEndsBeforeTheFirstTrainedTokenAndTheAnswerBeforeTheEndOfTurn() {
        Question question = ask(List.of(row("r", new int[] {1, 5, 6, 7, 8, STOP, 9, 1}, 3, 7)), 1).getFirst();
        assertArrayEquals(new int[] {1, 5, 6}, question.prompt());
        assertEquals("[7, 8]", question.expected());
        assertEquals(2, question.answerTokens());
        assertEquals("r", question.recordId());
    }

    @Test
    void answerEndsWithItsTurnNotWithTheConversation() {
        assertEquals("[7]", ask(List.of(row("r", new int[] {1, 7, 6, 6, 8, 8}, 1, 2)), 1).getFirst().expected());
    }

    @Test
    void plainTextHasNoPrompt() {
        assertEquals(List.of(), ask(List.of(row("r", new int[] {1, 7, 6}, 0, 3)), 5));
    }

    @Test
    void questionsAreSpreadOverTheRows() {
        List<SequenceRow> rows = IntStream.range(0, 10).mapToObj(i -> row("r" + i, new int[] {1, 7, 6}, 1, 3)).toList();
        assertEquals(List.of("r0", "r3", "r6"), ask(rows, 3).stream().map(Question::recordId).toList());
        assertEquals(10, ask(rows, 100).size());
    }

    @Test
    void whiteSpaceAroundAnAnswerDoesNotCount() {
        var question = new Question("r", new int[] {1}, 1, "yes\n");
        assertTrue(question.isAnsweredBy(" yes"));
        assertFalse(question.isAnsweredBy("Yes"));
        assertFalse(question.isAnsweredBy("yes, sir"));
    }

    private static List<Question> ask(List<SequenceRow> rows, int count) {
        return Question.of(rows, count, Set.of(STOP), Arrays::toString);
    }

    private static SequenceRow row(String id, int[] tokens, int from, int to) {
        var mask = new BitSet();
        mask.set(from, to);
        return new SequenceRow(Split.HELDOUT, tokens, mask, new int[] {0}, new int[] {0}, List.of(id));
    }
}
