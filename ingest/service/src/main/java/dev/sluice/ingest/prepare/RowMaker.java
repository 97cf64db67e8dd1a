package dev.sluice.ingest.prepare;

import dev.sluice.contracts.dataset.DatasetVersion;
import dev.sluice.contracts.dataset.Example;
import dev.sluice.contracts.dataset.PreparedDataset;
import dev.sluice.contracts.dataset.PreparedSplit;
import dev.sluice.contracts.dataset.SequenceRow;
import dev.sluice.contracts.dataset.Split;
import dev.sluice.contracts.wire.Json;
import dev.sluice.text.batch.BatchEncoder;
import dev.sluice.text.mask.ExampleEncoder;
import dev.sluice.text.mask.MaskSettings;
import dev.sluice.text.mask.RowOutcome;
import dev.sluice.text.mask.TokenRow;
import dev.sluice.text.packing.Bin;
import dev.sluice.text.record.Outcome;
import dev.sluice.text.record.RecordLimits;
import dev.sluice.text.record.RecordParser;
import dev.sluice.text.template.Budget;
import dev.sluice.text.template.ChatTemplate;
import dev.sluice.text.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneId;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/// Examples to rows, by the text half.
final class RowMaker implements AutoCloseable {

    private final Tokenizer tokenizer;
    private final BatchEncoder encoder;
    private final RecordParser parser = new RecordParser(new RecordLimits(64 << 20, 32 << 20, 100));

    /// @param today what a template that asks for the date is told: a fixed moment, so that preparing again gives the same bytes
    /// @throws dev.sluice.text.template.TemplateException when the chat template does not compile
    RowMaker(Tokenizer tokenizer, int maxLength, Instant today) {
        this.tokenizer = tokenizer;
        var clock = Clock.fixed(today, ZoneId.systemDefault());
        var template = tokenizer.chatTemplate().map(source -> ChatTemplate.compile(source, Budget.DEFAULT, clock));
        this.encoder = new BatchEncoder(new ExampleEncoder(tokenizer, template, new MaskSettings(maxLength)),
                Runtime.getRuntime().availableProcessors());
    }

    /// The prepared id of `request` under this model.
    String id(PrepareRequest request) {
        DatasetVersion train = request.train();
        DatasetVersion heldout = request.heldout();
        return PreparedDataset.idOf(train.datasetId(), train.version(), train.sha256(), heldout == null ? null : heldout.datasetId(),
                heldout == null ? null : heldout.version(), heldout == null ? null : heldout.sha256(), tokenizer.sha256(),
                tokenizer.chatTemplateSha256(), request.settings());
    }

    PreparedDataset describe(PrepareRequest request, PreparedSplit trainRows, PreparedSplit heldoutRows, Instant now) {
        DatasetVersion train = request.train();
        DatasetVersion heldout = request.heldout();
        return new PreparedDataset(id(request), train.datasetId(), train.version(), train.sha256(), heldout == null ? null : heldout.datasetId(),
                heldout == null ? null : heldout.version(), heldout == null ? null : heldout.sha256(), tokenizer.sha256(),
                tokenizer.chatTemplateSha256(), request.settings(), trainRows, heldoutRows, now);
    }

    /// One outcome for each example, in the same order.
    List<RowOutcome> encode(List<Example> examples) throws InterruptedException {
        return encoder.encode(examples.stream().map(this::parse).toList());
    }

    private dev.sluice.text.record.Example parse(Example example) {
        return switch (parser.parse(Json.write(example.example()))) {
            case Outcome.Accepted accepted -> accepted.example();
            case Outcome.Refused refused -> throw new IllegalStateException("accepted example " + example.recordId() + " of dataset "
                    + example.datasetId() + " is refused now: " + refused.reason());
        };
    }

    /// A row of one segment.
    SequenceRow row(Split split, String recordId, TokenRow tokens) {
        return new SequenceRow(split, tokens.ids(), mask(tokens.mask()), new int[] {0}, new int[] {trainedBytes(split, tokens)}, List.of(recordId));
    }

    /// Rows of one bin, one after the other.
    static SequenceRow join(Split split, Bin bin, RowSpool spool) throws IOException {
        SequenceRow[] parts = new SequenceRow[bin.rows().length];
        for (int i = 0; i < parts.length; i++) {
            parts[i] = spool.get(bin.rows()[i]);
        }
        if (parts.length == 1) {
            return parts[0];
        }
        int[] ids = new int[bin.tokens()];
        BitSet mask = new BitSet();
        int[] starts = new int[parts.length];
        int at = 0;
        for (int i = 0; i < parts.length; i++) {
            starts[i] = at;
            System.arraycopy(parts[i].tokenIds(), 0, ids, at, parts[i].length());
            for (int bit = parts[i].lossMask().nextSetBit(0); bit >= 0; bit = parts[i].lossMask().nextSetBit(bit + 1)) {
                mask.set(at + bit);
            }
            at += parts[i].length();
        }
        return new SequenceRow(split, ids, mask, starts, Arrays.stream(parts).mapToInt(part -> part.trainedBytes()[0]).toArray(),
                Arrays.stream(parts).map(part -> part.recordIds().getFirst()).toList());
    }

    /// Only what is scored needs its length in bytes. Runs of trained tokens are decoded one by one: they begin and end
    /// with whole characters, the tokens inside need not.
    private int trainedBytes(Split split, TokenRow tokens) {
        return switch (split) {
            case TRAIN -> 0;
            case HELDOUT -> {
                int bytes = 0;
                for (int from = 1; from < tokens.length(); from++) {
                    int to = from;
                    while (to < tokens.length() && tokens.mask()[to] == 1) {
                        to++;
                    }
                    if (to > from) {
                        bytes += tokenizer.decodeText(Arrays.copyOfRange(tokens.ids(), from, to)).getBytes(StandardCharsets.UTF_8).length;
                        from = to;
                    }
                }
                yield bytes;
            }
        };
    }

    private static BitSet mask(byte[] mask) {
        BitSet bits = new BitSet(mask.length);
        for (int i = 0; i < mask.length; i++) {
            bits.set(i, mask[i] == 1);
        }
        return bits;
    }

    @Override
    public void close() {
        encoder.close();
        tokenizer.close();
    }
}
