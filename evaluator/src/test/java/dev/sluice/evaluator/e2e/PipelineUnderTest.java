package dev.sluice.evaluator.e2e;

import dev.sluice.cli.client.Client;
import dev.sluice.cli.client.JobClient;
import dev.sluice.cli.client.RecordPublisher;
import dev.sluice.cli.pipeline.Installation;
import dev.sluice.cli.pipeline.OwnPipeline;
import dev.sluice.contracts.job.Checkpointing;
import dev.sluice.contracts.job.DatasetRef;
import dev.sluice.contracts.job.Evaluation;
import dev.sluice.contracts.job.JobSpec;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.job.ModelRef;
import dev.sluice.contracts.job.Progress;
import dev.sluice.contracts.job.Schedule;
import dev.sluice.contracts.job.Training;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.topic.Topics;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Consumer;

/// The packaged services with a real broker, exactly as `./sluice up` runs them, and a client to it.
final class PipelineUnderTest implements AutoCloseable {
    private final OwnPipeline pipeline;
    private final Client client;

    PipelineUnderTest() {
        pipeline = OwnPipeline.temporary(event -> System.out.println("pipeline: " + event));
        client = new Client(new KafkaConnection(pipeline.status().bootstrapServers(), "e2e"), Topics.standard(), pipeline.data().store());
    }

    Client client() {
        return client;
    }

    Path folder() {
        return pipeline.data().root();
    }

    static Path sample() {
        return Installation.current().sample();
    }

    RecordPublisher.Published publish(String dataset, Path file) {
        return new RecordPublisher(client, dataset).publish(file);
    }

    /// A job on the sample model, saving itself every five steps.
    JobSpec sampleJob(String jobId, String dataset, int steps, String alias) {
        var training = new Training(512, 1, 4, steps, null, 5e-3, Schedule.LINEAR, null, 0.05, null, null, null, null, null, null, true, true, null);
        return new JobSpec(jobId, new ModelRef(sample().resolve("model").toUri(), null), DatasetRef.latest(dataset), null, null, training,
                "cpu", null, new Checkpointing(5, null), null, new Evaluation(alias, null, null, 2), false, "e2e", null, jobId);
    }

    /// Submits a job and follows it to its end.
    ///
    /// @param onProgress called with every progress message seen
    JobState run(JobSpec spec, Consumer<Progress> onProgress) {
        var jobs = new JobClient(client);
        jobs.submit(spec);
        return jobs.follow(spec.jobId(), Duration.ofSeconds(60), new JobClient.Listener() {
            @Override
            public void phase(JobState state) {
                System.out.println(spec.jobId() + ": " + state.phase() + " step " + state.step() + " attempt " + state.attempt()
                        + (state.reason() == null ? "" : ", " + state.reason()));
            }

            @Override
            public void progress(Progress progress) {
                onProgress.accept(progress);
            }
        });
    }

    /// `kill -9` for a process of the pipeline; its watcher starts it again.
    void kill(String name) {
        pipeline.status().processes().stream().filter(process -> process.name().equals(name))
                .forEach(process -> ProcessHandle.of(process.pid()).ifPresent(ProcessHandle::destroyForcibly));
    }

    @Override
    public void close() {
        client.close();
        pipeline.close();
    }
}
