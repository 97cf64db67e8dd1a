package dev.sluice.evaluator.answer;

import dev.sluice.model.evaluation.Generation;
import dev.sluice.text.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import dev.sluice.contracts.evaluation.SampleAnswer;

/// Greedy answers to questions, as text.
///
/// @param tokenizer of the model
/// @param maxNewTokens most tokens of one answer
public record Answering(Tokenizer tokenizer, int maxNewTokens) {

    /// Prompts of one packed pass.
    private static final int TOGETHER = 16;
    /// An answer this much longer than the longest expected one is wrong whatever follows.
    private static final int SLACK = 16;

    /// The model's answer to each question. Called on the backend's thread.
    ///
    /// @param beat called after every few answers
    public List<String> answer(Generation model, List<Question> questions, Runnable beat) {
        int longest = questions.stream().mapToInt(Question::answerTokens).max().orElse(0);
        List<String> answers = new ArrayList<>();
        for (int from = 0; from < questions.size(); from += TOGETHER) {
            List<int[]> prompts = questions.subList(from, Math.min(from + TOGETHER, questions.size())).stream().map(Question::prompt).toList();
            model.greedy(prompts, Math.min(maxNewTokens, longest + SLACK), tokenizer.stopTokens().ids())
                    .forEach(answer -> answers.add(tokenizer.decodeText(answer)));
            beat.run();
        }
        return answers;
    }

    /// Questions with both sides' answers, for people.
    public List<SampleAnswer> samples(List<Question> questions, List<String> baseline, List<String> candidate) {
        return IntStream.range(0, questions.size()).mapToObj(i -> new SampleAnswer(questions.get(i).recordId(),
                tokenizer.decodeText(questions.get(i).prompt()), questions.get(i).expected(), baseline.get(i), candidate.get(i))).toList();
    }
}
