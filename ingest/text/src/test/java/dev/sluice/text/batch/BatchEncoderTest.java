package dev.sluice.text.batch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import dev.sluice.text.SampleModel;
import dev.sluice.text.mask.ExampleEncoder;
import dev.sluice.text.mask.MaskSettings;
import dev.sluice.text.mask.RowOutcome;
import dev.sluice.text.record.Example;
import dev.sluice.text.record.Outcome;
import dev.sluice.text.record.RecordParser;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class BatchEncoderTest {

    @Test
    void rowsComeInTheOrderOfTheExamplesWhateverTheThreads() throws InterruptedException {
        var parser = new RecordParser();
        var examples = new ArrayList<Example>();
        for (int copy = 0; copy < 40; copy++) {
            SampleModel.rows().forEach(row -> examples.add(assertInstanceOf(Outcome.Accepted.class,
                    parser.parse(row.get("record").toString().getBytes(StandardCharsets.UTF_8))).example()));
        }
        try (var tokenizer = SampleModel.tokenizer()) {
            var encoder = new ExampleEncoder(tokenizer, new MaskSettings(256));
            List<RowOutcome> expected = examples.stream().map(encoder::encode).toList();
            for (int threads : new int[] {1, 2, 5}) {
                try (var batch = new BatchEncoder(encoder, threads)) {
                    assertEquals(expected, batch.encode(examples));
                    assertEquals(List.of(), batch.encode(List.of()));
                }
            }
        }
    }
}
