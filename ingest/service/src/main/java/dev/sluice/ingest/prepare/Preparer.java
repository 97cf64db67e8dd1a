package dev.sluice.ingest.prepare;

import dev.sluice.contracts.dataset.DatasetVersion;
import dev.sluice.contracts.dataset.Example;
import dev.sluice.contracts.dataset.PreparedDataset;
import dev.sluice.contracts.dataset.PreparedSplit;
import dev.sluice.contracts.dataset.Split;
import dev.sluice.contracts.job.JobCode;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.log.TransactionalProducer;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.EventWriter;
import dev.sluice.ingest.dataset.Datasets;
import dev.sluice.text.mask.RowOutcome;
import dev.sluice.text.packing.Bin;
import dev.sluice.text.packing.Holdout;
import dev.sluice.text.packing.Packer;
import dev.sluice.text.template.TemplateException;
import dev.sluice.text.tokenizer.ModelFileException;
import dev.sluice.text.tokenizer.Tokenizer;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.jboss.logging.Logger;

/// Examples to token rows: chat template, tokens, loss mask, hold-out split, packing. The result is found again by its id;
/// making it anew gives the same bytes.
public final class Preparer {

    private static final Logger LOG = Logger.getLogger(Preparer.class);
    /// A job whose template has refused every example for so long is rejected without asking it about the rest.
    private static final Duration HOPELESS = Duration.ofMillis(500);

    private final Datasets datasets;
    private final TransactionalProducer producer;
    private final EventWriter events;
    private final ExampleSource source;

    public Preparer(KafkaConnection connection, Topics topics, Datasets datasets, TransactionalProducer producer, EventWriter events) {
        this.datasets = datasets;
        this.producer = producer;
        this.events = events;
        this.source = new ExampleSource(connection, topics);
    }

    /// The rows of `request`: those that are there, or new ones.
    ///
    /// @throws RejectedException when the model's files, its template or the examples do not allow it
    public PreparedDataset prepare(PrepareRequest request) throws RejectedException, IOException, InterruptedException {
        try (RowMaker rows = open(request); RowSpool train = new RowSpool(); RowSpool heldout = new RowSpool()) {
            Optional<PreparedDataset> known = datasets.prepared(rows.id(request));
            if (known.isPresent()) {
                return known.get();
            }
            long started = System.nanoTime();
            PreparedDataset prepared = new Run(request, rows, train, heldout).prepare();
            producer.commit(transaction -> transaction.send(events.message(Topic.DATASETS, prepared.key(), prepared)));
            datasets.refresh();
            long tokens = prepared.train().tokens() + prepared.heldout().tokens();
            LOG.infof("prepared %s: %d + %d rows, %d tokens in %d ms", prepared.preparedId(), prepared.train().rows(),
                    prepared.heldout().rows(), tokens, (System.nanoTime() - started) / 1_000_000);
            return prepared;
        }
    }

    private static RowMaker open(PrepareRequest request) throws RejectedException {
        try {
            return new RowMaker(Tokenizer.load(request.model()), request.settings().maxLength(), request.train().createdAt());
        } catch (ModelFileException e) {
            throw new RejectedException(JobCode.MODEL_UNSUPPORTED, e.getMessage());
        } catch (TemplateException e) {
            throw new RejectedException(JobCode.TEMPLATE_REFUSED, "The model's chat template cannot be used: " + e.getMessage());
        }
    }

    /// One preparation.
    private final class Run {
        private final PrepareRequest request;
        private final RowMaker rows;
        private final RowSpool train;
        private final RowSpool heldout;
        private final long started = System.nanoTime();
        private final SplitTally trainTally = new SplitTally();
        private final SplitTally heldoutTally = new SplitTally();

        Run(PrepareRequest request, RowMaker rows, RowSpool train, RowSpool heldout) {
            this.request = request;
            this.rows = rows;
            this.train = train;
            this.heldout = heldout;
        }

        PreparedDataset prepare() throws RejectedException, IOException, InterruptedException {
            Holdout holdout = new Holdout(request.settings().heldoutFraction());
            encode(request.train(), holdout);
            if (request.heldout() != null) {
                encode(request.heldout(), new Holdout(1));
            }
            if (train.isEmpty()) {
                throw nothingToTrain();
            }
            Packer packer = request.settings().packing() ? Packer.BEST_FIT_DECREASING : Packer.NONE;
            PreparedSplit trainSplit = write(Split.TRAIN, train, packer, trainTally);
            PreparedSplit heldoutSplit = write(Split.HELDOUT, heldout, Packer.NONE, heldoutTally);
            return rows.describe(request, trainSplit, heldoutSplit, Instant.now());
        }

        private void encode(DatasetVersion version, Holdout holdout) throws RejectedException, IOException, InterruptedException {
            source.read(version, examples -> {
                List<RowOutcome> outcomes = rows.encode(examples);
                if (heldout.isEmpty() && train.isEmpty() && isHopeless(outcomes)) {
                    outcomes.forEach(outcome -> trainTally.refused((RowOutcome.Refused) outcome));
                    throw nothingToTrain();
                }
                for (int i = 0; i < outcomes.size(); i++) {
                    spool(holdout.holdsOut(examples.get(i).recordId()) ? Split.HELDOUT : Split.TRAIN, examples.get(i), outcomes.get(i));
                }
            });
        }

        /// A template that loops spends its whole budget on every example: do not find out thousands of times.
        private boolean isHopeless(List<RowOutcome> outcomes) {
            return System.nanoTime() - started > HOPELESS.toNanos() && !outcomes.isEmpty() && outcomes.stream()
                    .allMatch(outcome -> outcome instanceof RowOutcome.Refused refused && refused.code() == RowOutcome.Code.TEMPLATE_FAILED);
        }

        private void spool(Split split, Example example, RowOutcome outcome) throws IOException {
            SplitTally tally = split == Split.TRAIN ? trainTally : heldoutTally;
            switch (outcome) {
                case RowOutcome.Row(var tokens) -> {
                    (split == Split.TRAIN ? train : heldout).add(rows.row(split, example.recordId(), tokens));
                    if (tokens.truncated()) {
                        tally.truncated();
                    }
                }
                case RowOutcome.Refused refused -> tally.refused(refused);
            }
        }

        private PreparedSplit write(Split split, RowSpool spool, Packer packer, SplitTally tally) throws IOException {
            SequenceWriter writer = new SequenceWriter(producer, events, rows.id(request));
            for (Bin bin : packer.pack(spool.lengths(), request.settings().maxLength())) {
                writer.write(RowMaker.join(split, bin, spool));
            }
            return writer.finish(tally);
        }

        private RejectedException nothingToTrain() {
            RowOutcome.Refused most = trainTally.mostFrequent();
            if (most == null) {
                return new RejectedException(JobCode.NOTHING_TO_TRAIN, "Every example of " + request.train().key()
                        + " is held out. Lower heldout.fraction or send more records.");
            }
            JobCode code = switch (most.code()) {
                case NO_TEMPLATE, TEMPLATE_FAILED, NOT_ALIGNABLE -> JobCode.TEMPLATE_REFUSED;
                case NOTHING_TO_TRAIN -> JobCode.NOTHING_TO_TRAIN;
            };
            return new RejectedException(code, "None of the " + trainTally.refusedCount() + " examples looked at gives a row to train on, most often because: " + most.reason());
        }
    }
}
