package dev.sluice.cli.command;

import dev.sluice.cli.CliException;
import dev.sluice.cli.ExitCode;
import dev.sluice.cli.client.AdapterFiles;
import dev.sluice.cli.client.Client;
import dev.sluice.cli.client.JobClient;
import dev.sluice.cli.client.Outcome;
import dev.sluice.cli.client.RecordPublisher;
import dev.sluice.cli.pipeline.DataFolder;
import dev.sluice.cli.pipeline.Installation;
import dev.sluice.cli.pipeline.OwnPipeline;
import dev.sluice.contracts.job.DatasetRef;
import dev.sluice.contracts.job.Evaluation;
import dev.sluice.contracts.job.JobSpec;
import dev.sluice.contracts.job.ModelRef;
import dev.sluice.contracts.job.Schedule;
import dev.sluice.contracts.job.Training;
import java.io.PrintStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(name = "demo", mixinStandardHelpOptions = true,
        description = {"Watch the whole pipeline at work: a broker and three services start, sample conversations become a",
            "trained, scored and promoted adapter of a small Mixture-of-Experts model, and everything stops again."})
public final class DemoCommand implements Callable<Integer> {
    private static final String DATASET = "command-lines";
    private static final String ALIAS = "demo";
    private static final Duration PATIENCE = Duration.ofMinutes(5);
    /// What the sample's own README found to suffice: most held-out answers become right.
    private static final int STEPS = 120;
    private static final double LEARNING_RATE = 5e-3;
    /// Of the sample's short conversations, packed without padding.
    private static final int TOKENS_PER_ROW = 512;
    private static final int ROWS_PER_STEP = 4;
    /// Held-out prompts answered before and after, for a rate of exact answers; a few of them are shown.
    private static final int ANSWERS = 48;
    private static final int SHOWN_ANSWERS = 3;

    @Option(names = "--data", paramLabel = "DIR", description = "folder for the demo's data, emptied at the start (default: ~/.sluice-demo)")
    private Path data;

    @Option(names = "--steps", paramLabel = "N", description = "optimiser steps (default: " + STEPS + ")")
    private int steps = STEPS;

    @Mixin
    private OutputOptions output;

    @Override
    public Integer call() {
        long started = System.nanoTime();
        PrintStream out = output.remarks();
        var folder = new DataFolder(data == null ? Path.of(System.getProperty("user.home"), ".sluice-demo") : data);
        out.println("1. Starting a Kafka broker, ingest, trainer and evaluator on this machine ...");
        try (var own = OwnPipeline.fresh(folder, out::println); var client = PipelineOptions.connect(own.status(), folder)) {
            out.printf("   all four are ready after %.1f s%n%n", seconds(started));
            publish(client, out);
            var outcome = train(client, out);
            Path adapter = folder.root().resolve("adapter");
            AdapterFiles.copy(outcome.adapter(), client.store(), adapter);
            out.println("4. The evaluator compared it with the base model");
            output.print(outcome, text(outcome));
            out.println("The adapter (PEFT format) lies in " + adapter);
        }
        out.printf("Everything that was started has stopped. The demo took %.0f s.%n", seconds(started));
        return ExitCode.OK.number();
    }

    private void publish(Client client, PrintStream out) {
        Path conversations = Installation.current().sample().resolve("conversations.jsonl");
        out.println("2. Publishing " + conversations.getFileName() + " to the topic " + client.topics().prefix() + ".records.v1");
        out.println("   " + ProduceCommand.text(new RecordPublisher(client, DATASET).publish(conversations)) + "\n");
    }

    private Outcome train(Client client, PrintStream out) {
        var spec = spec();
        out.println("3. Requesting a LoRA adapter: job " + spec.jobId());
        var jobs = new JobClient(client);
        jobs.submit(spec);
        var lines = new JobText(out);
        var end = jobs.follow(spec.jobId(), PATIENCE, lines);
        if (JobText.exitCode(end) != ExitCode.OK) {
            throw new CliException(ExitCode.PARTLY, "the demo's job did not succeed: " + JobText.describe(end));
        }
        out.println();
        Outcome outcome = Outcome.await(client, end, PATIENCE, lines::scoring);
        if (outcome.unscored() != null) {
            throw new CliException(ExitCode.PARTLY, ScoreText.unscored(outcome.unscored()));
        }
        return outcome;
    }

    private JobSpec spec() {
        var training = new Training(TOKENS_PER_ROW, 1, ROWS_PER_STEP, steps, null, LEARNING_RATE, Schedule.LINEAR, null, 0.05, null, null,
                null, null, null, null, true, true, null);
        return new JobSpec("demo-" + UUID.randomUUID().toString().substring(0, 8),
                new ModelRef(Installation.current().sample().resolve("model").toUri(), null), DatasetRef.latest(DATASET), null, null,
                training, null, null, null, null, new Evaluation(ALIAS, null, null, ANSWERS), false, "demo", null, null);
    }

    private static String text(Outcome outcome) {
        var text = new StringBuilder();
        if (outcome.score() != null) {
            var samples = outcome.score().samples();
            text.append(ScoreText.score(outcome.score()))
                    .append("\nThe first ").append(SHOWN_ANSWERS).append(" of ").append(samples.size()).append(" held-out prompts answered:\n\n")
                    .append(ScoreText.samples(samples.subList(0, Math.min(SHOWN_ANSWERS, samples.size()))));
        }
        return text.append(ScoreText.promotion(outcome.promotion())).toString();
    }

    private static double seconds(long since) {
        return (System.nanoTime() - since) / 1e9;
    }
}
