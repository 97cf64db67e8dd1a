package dev.sluice.cli.command;

import dev.sluice.cli.CliException;
import dev.sluice.cli.ExitCode;
import dev.sluice.cli.output.Table;
import dev.sluice.contracts.evaluation.Promotion;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

@Command(name = "champion", mixinStandardHelpOptions = true, description = "Show which adapter each alias points to, or the decision behind one.")
public final class ChampionCommand implements Callable<Integer> {
    @Parameters(arity = "0..1", paramLabel = "ALIAS")
    private String alias;

    @Mixin
    private PipelineFolderOptions pipeline;

    @Mixin
    private OutputOptions output;

    @Override
    public Integer call() {
        try (var client = pipeline.connect()) {
            if (alias != null) {
                var promotion = client.promotions().get(alias).orElseThrow(() -> new CliException(ExitCode.FAILED,
                        "nothing has been decided about alias " + alias + "; ./sluice champion lists the aliases"));
                output.print(promotion, ScoreText.promotion(promotion));
                return ExitCode.OK.number();
            }
            var all = client.promotions().values().stream().sorted(Comparator.comparing(Promotion::alias)).toList();
            output.print(all, table(all));
            return ExitCode.OK.number();
        }
    }

    private static String table(List<Promotion> promotions) {
        var table = new Table("ALIAS", "CHAMPION", "LAST DECISION", "ABOUT", "DECIDED");
        promotions.forEach(row -> table.row(row.alias(), row.championId() == null ? "base model" : row.championId(),
                row.decision(), row.candidateId(), row.decidedAt()));
        return table.isEmpty() ? "no alias yet; ./sluice train --alias NAME makes an adapter compete for one" : table.toString();
    }
}
