package dev.sluice.ingest.prepare;

import dev.sluice.contracts.dataset.ContentSum;
import dev.sluice.contracts.dataset.DatasetVersion;
import dev.sluice.contracts.dataset.Example;
import dev.sluice.contracts.job.JobCode;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.log.LogRange;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;

/// The examples of a dataset version, in the order of the log, with count and hash verified.
final class ExampleSource {

    /// Takes a run of examples.
    @FunctionalInterface
    interface Sink {
        void accept(List<Example> examples) throws IOException, InterruptedException, RejectedException;
    }

    /// Sink trouble on its way through the log reader.
    private static final class SinkFailure extends RuntimeException {
        SinkFailure(Exception cause) {
            super(cause);
        }
    }

    /// The first run is short, so that a hopeless job is noticed early; each next one is twice as long.
    private static final int FIRST_RUN = 1;
    private static final int LONGEST_RUN = 1024;

    private final KafkaConnection connection;
    private final Topics topics;

    ExampleSource(KafkaConnection connection, Topics topics) {
        this.connection = connection;
        this.topics = topics;
    }

    /// @throws RejectedException when the log does not hold what the version promises
    void read(DatasetVersion version, Sink sink) throws IOException, InterruptedException, RejectedException {
        Run run = new Run(sink);
        try {
            LogRange.read(connection, topics.name(Topic.EXAMPLES), version.ranges(), version.datasetId(), message -> run.add(message.value()));
            run.flush();
        } catch (SinkFailure e) {
            switch (e.getCause()) {
                case IOException io -> throw io;
                case InterruptedException interrupted -> throw interrupted;
                case RejectedException rejected -> throw rejected;
                case Throwable other -> throw new IllegalStateException(other);
            }
        }
        String found = run.sum.datasetSha256(run.count);
        if (!found.equals(version.sha256())) {
            throw new RejectedException(JobCode.HASH_MISMATCH, "Version " + version.key() + " promises "
                    + version.counts().accepted() + " examples with SHA-256 " + version.sha256() + ", the log has " + run.count + " with " + found
                    + ". Was examples.v1 shortened? Send the records again to a new dataset.");
        }
    }

    private static final class Run {
        private final Sink sink;
        private final List<Example> examples = new ArrayList<>(LONGEST_RUN);
        private int length = FIRST_RUN;
        private ContentSum sum = ContentSum.ZERO;
        private long count;

        Run(Sink sink) {
            this.sink = sink;
        }

        void add(byte[] message) {
            try {
                Example example = Json.read(message, Example.class);
                sum = sum.plus(example.contentSha256());
                count++;
                examples.add(example);
            } catch (IOException e) {
                throw new UncheckedIOException("an accepted example cannot be read: " + e.getMessage(), e);
            }
            if (examples.size() == length) {
                flush();
            }
        }

        void flush() {
            try {
                sink.accept(List.copyOf(examples));
                examples.clear();
                length = Math.min(2 * length, LONGEST_RUN);
            } catch (IOException | InterruptedException | RejectedException e) {
                throw new SinkFailure(e);
            }
        }
    }
}
