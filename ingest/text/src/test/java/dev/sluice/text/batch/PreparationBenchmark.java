package dev.sluice.text.batch;

import dev.sluice.text.mask.ExampleEncoder;
import dev.sluice.text.mask.MaskSettings;
import dev.sluice.text.mask.RowOutcome;
import dev.sluice.text.record.Example;
import dev.sluice.text.record.Outcome;
import dev.sluice.text.record.RecordParser;
import dev.sluice.text.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/// Tokens a second from record bytes to masked rows, over two threads: parse, render, encode, mask.
///
/// Usage: `PreparationBenchmark MODEL_FOLDER [WORDS_PER_TURN]`. Conversations of three exchanges of made-up prose.
public final class PreparationBenchmark {

    private static final String[] WORDS = ("the adapter learns what its router forgot when every expert of a layer waits for"
            + " tokens that never come, so the stream fills queues, and gradients flow back through each of them again").split(" ");

    private PreparationBenchmark() {}

    public static void main(String[] args) throws IOException, InterruptedException {
        int words = args.length > 1 ? Integer.parseInt(args[1]) : 60;
        List<byte[]> records = records(4_000, words);
        try (var tokenizer = Tokenizer.load(Path.of(args[0]));
                var batch = new BatchEncoder(new ExampleEncoder(tokenizer, new MaskSettings(8_192)), 2)) {
            for (int round = 0; round < 5; round++) {
                long start = System.nanoTime();
                long tokens = tokens(batch.encode(parse(records)));
                double seconds = (System.nanoTime() - start) * 1e-9;
                System.out.printf("%,d rows, %,d tokens in %.2f s: %,.0f tokens/s%n", records.size(), tokens, seconds, tokens / seconds);
            }
        }
    }

    private static List<Example> parse(List<byte[]> records) {
        var parser = new RecordParser();
        return records.stream().map(record -> ((Outcome.Accepted) parser.parse(record)).example()).toList();
    }

    private static long tokens(List<RowOutcome> rows) {
        return rows.stream().mapToLong(row -> ((RowOutcome.Row) row).row().length()).sum();
    }

    private static List<byte[]> records(int count, int words) {
        var random = new Random(1);
        var records = new ArrayList<byte[]>();
        for (int i = 0; i < count; i++) {
            var turns = new StringBuilder("{\"messages\":[");
            for (int turn = 0; turn < 6; turn++) {
                turns.append(turn == 0 ? "" : ",").append("{\"role\":\"").append(turn % 2 == 0 ? "user" : "assistant")
                        .append("\",\"content\":\"").append(prose(random, words)).append("\"}");
            }
            records.add(turns.append("]}").toString().getBytes(StandardCharsets.UTF_8));
        }
        return records;
    }

    private static String prose(Random random, int words) {
        var text = new StringBuilder();
        for (int i = 0; i < words; i++) {
            text.append(i == 0 ? "" : " ").append(WORDS[random.nextInt(WORDS.length)]);
        }
        return text.toString();
    }
}
