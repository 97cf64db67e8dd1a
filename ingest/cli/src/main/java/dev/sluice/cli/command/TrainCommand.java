package dev.sluice.cli.command;

import dev.sluice.cli.CliException;
import dev.sluice.cli.ExitCode;
import dev.sluice.cli.client.Client;
import dev.sluice.cli.client.JobClient;
import dev.sluice.cli.client.Outcome;
import dev.sluice.cli.client.RecordPublisher;
import dev.sluice.cli.client.RunFolder;
import dev.sluice.cli.pipeline.OwnPipeline;
import dev.sluice.contracts.job.Checkpointing;
import dev.sluice.contracts.job.DatasetRef;
import dev.sluice.contracts.job.Evaluation;
import dev.sluice.contracts.job.Heldout;
import dev.sluice.contracts.job.JobSpec;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.job.ModelRef;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(name = "train", mixinStandardHelpOptions = true, sortOptions = false,
        description = {"Train a LoRA adapter on a dataset of the pipeline (--dataset), or on a file (--data): one self-contained",
            "run, through the running pipeline or one of its own. Exit code 0 when the job succeeds and its",
            "adapter is scored where rows are held out, 3 otherwise."})
public final class TrainCommand implements Callable<Integer> {
    private static final Duration INTAKE = Duration.ofSeconds(60);
    private static final Duration SCORING = Duration.ofHours(2);

    @Option(names = "--model", required = true, paramLabel = "DIR", description = "checkpoint folder in Hugging Face format")
    private Path model;

    @ArgGroup(multiplicity = "1")
    private Source source;

    static final class Source {
        @Option(names = "--dataset", paramLabel = "ID", description = "a dataset of the pipeline")
        private String dataset;

        @Option(names = "--data", paramLabel = "FILE", description = "JSONL or .parquet file of conversations")
        private Path data;
    }

    @Option(names = "--heldout", paramLabel = "FILE", description = "file of held-out conversations to score on")
    private Path heldout;

    @Option(names = "--heldout-fraction", paramLabel = "X", description = "without --heldout: share of the dataset held out (default 0.1)")
    private Double heldoutFraction;

    @Option(names = "--out", paramLabel = "DIR", description = "write adapter, rows.jsonl and run.json here")
    private Path out;

    @Option(names = "--alias", paramLabel = "NAME", description = "champion pointer that the adapter competes for")
    private String alias;

    @Option(names = "--sample-answers", paramLabel = "N", description = "held-out prompts to answer before and after (default 0)")
    private Integer sampleAnswers;

    @Option(names = "--save-steps", paramLabel = "N", description = "steps between checkpoints (default 50)")
    private Integer saveSteps;

    @Option(names = "--detach", description = "with --dataset: submit, print the job id, do not wait")
    private boolean detach;

    @Mixin
    private TrainingOptions settings;

    @Mixin
    private PipelineOptions pipeline;

    @Mixin
    private OutputOptions output;

    @Override
    public Integer call() {
        check();
        if (source.dataset != null || pipeline.isReachable()) {
            try (var client = pipeline.connect()) {
                return run(client);
            }
        }
        output.remarks().println("No pipeline is running: starting one for this run ...");
        try (var own = OwnPipeline.temporary(output.remarks()::println);
                var client = PipelineOptions.connect(own.status(), own.data())) {
            return run(client);
        }
    }

    private void check() {
        if (!Files.isRegularFile(model.resolve("config.json"))) {
            throw new CliException(ExitCode.USAGE, "--model " + model + " is no checkpoint folder: it has no config.json");
        }
        for (Path file : new Path[] {source.data, heldout}) {
            if (file != null && !Files.isReadable(file)) {
                throw new CliException(ExitCode.USAGE, "cannot read " + file + ": no such file");
            }
        }
        if (detach && (source.data != null || out != null)) {
            throw new CliException(ExitCode.USAGE, "--detach goes with --dataset and without --out");
        }
    }

    private int run(Client client) {
        String jobId = "job-" + UUID.randomUUID();
        var spec = spec(jobId, publish(client, jobId, source.data, source.dataset, "data"), heldout(client, jobId));
        var jobs = new JobClient(client);
        jobs.submit(spec);
        output.remarks().println("job " + jobId);
        if (detach) {
            output.print(spec, "follow it with ./sluice watch " + jobId);
            return ExitCode.OK.number();
        }
        var lines = new JobText(output.remarks());
        JobState end = jobs.follow(jobId, INTAKE, lines);
        if (JobText.exitCode(end) != ExitCode.OK) {
            if (output.isJson()) {
                output.print(end, "");
            }
            return JobText.exitCode(end).number();
        }
        return report(client, Outcome.await(client, end, SCORING, lines::scoring)).number();
    }

    /// The dataset's id: the given one, or a new one that holds just the file's records.
    private String publish(Client client, String jobId, Path file, String dataset, String role) {
        if (file == null) {
            return dataset;
        }
        var published = new RecordPublisher(client, jobId + "-" + role).publish(file);
        output.remarks().println(ProduceCommand.text(published));
        if (published.fates().accepted() == 0) {
            throw new CliException(ExitCode.FAILED, "no record of " + file + " was accepted: nothing to work with");
        }
        return published.datasetId();
    }

    private Heldout heldout(Client client, String jobId) {
        return heldout == null ? new Heldout(null, heldoutFraction)
                : new Heldout(DatasetRef.latest(publish(client, jobId, heldout, null, "heldout")), null);
    }

    private JobSpec spec(String jobId, String dataset, Heldout heldoutRows) {
        return new JobSpec(jobId, new ModelRef(model.toAbsolutePath().normalize().toUri(), null, settings.quantize()), DatasetRef.latest(dataset), heldoutRows,
                settings.lora(), settings.training(), settings.backend(), settings.adapterFormat(), new Checkpointing(saveSteps, null),
                null, new Evaluation(alias, null, null, sampleAnswers), out != null, System.getProperty("user.name"), null, jobId);
    }

    private ExitCode report(Client client, Outcome outcome) {
        if (outcome.unscored() != null) {
            output.remarks().println(ScoreText.unscored(outcome.unscored()));
        }
        if (out != null) {
            new RunFolder(out).write(outcome, client.store());
        }
        var text = new StringBuilder();
        if (outcome.score() != null) {
            text.append(ScoreText.score(outcome.score())).append(ScoreText.samples(outcome.score().samples()));
        }
        if (outcome.promotion() != null) {
            text.append(ScoreText.promotion(outcome.promotion()));
        }
        output.print(outcome, text + (out == null ? "" : "written to " + out));
        return outcome.unscored() == null ? ExitCode.OK : ExitCode.PARTLY;
    }
}
