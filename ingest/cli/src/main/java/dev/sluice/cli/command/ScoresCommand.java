package dev.sluice.cli.command;

import dev.sluice.cli.ExitCode;
import dev.sluice.contracts.evaluation.ScoreEvent;
import java.util.Comparator;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

@Command(name = "scores", mixinStandardHelpOptions = true, description = "Show how adapters score beside their baselines on held-out rows, or why not.")
public final class ScoresCommand implements Callable<Integer> {
    @Parameters(arity = "0..1", paramLabel = "ADAPTER", description = "only this adapter (its first digits will do)")
    private String adapter;

    @Mixin
    private PipelineFolderOptions pipeline;

    @Mixin
    private OutputOptions output;

    @Override
    public Integer call() {
        try (var client = pipeline.connect()) {
            var scores = client.scores().values().stream()
                    .filter(score -> adapter == null || score.adapterId().startsWith(adapter))
                    .sorted(Comparator.comparing(ScoreEvent::at)).toList();
            output.print(scores, scores.isEmpty() ? "no scores yet" : scores.stream()
                    .map(score -> "adapter " + score.adapterId() + "\n" + ScoreText.describe(score))
                    .collect(Collectors.joining("\n")));
            return ExitCode.OK.number();
        }
    }
}
