package dev.sluice.text.batch;

import dev.sluice.text.mask.ExampleEncoder;
import dev.sluice.text.mask.RowOutcome;
import dev.sluice.text.record.Example;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/// Encodes many examples over several threads; the rows come back in the order of the examples.
public final class BatchEncoder implements AutoCloseable {

    private static final int CHUNK = 64;

    private final ExampleEncoder encoder;
    private final ExecutorService threads;

    /// @param threads how many work at once, at least 1
    public BatchEncoder(ExampleEncoder encoder, int threads) {
        this.encoder = encoder;
        this.threads = Executors.newFixedThreadPool(threads, Thread.ofPlatform().daemon().name("encode-", 0).factory());
    }

    /// One outcome for each example, in the same order.
    ///
    /// @throws InterruptedException when the calling thread is interrupted; work not yet begun is dropped
    public List<RowOutcome> encode(List<Example> examples) throws InterruptedException {
        var tasks = new ArrayList<Callable<List<RowOutcome>>>();
        for (int from = 0; from < examples.size(); from += CHUNK) {
            List<Example> chunk = examples.subList(from, Math.min(from + CHUNK, examples.size()));
            tasks.add(() -> chunk.stream().map(encoder::encode).toList());
        }
        var rows = new ArrayList<RowOutcome>(examples.size());
        for (Future<List<RowOutcome>> chunk : threads.invokeAll(tasks)) {
            rows.addAll(result(chunk));
        }
        return rows;
    }

    private static List<RowOutcome> result(Future<List<RowOutcome>> chunk) throws InterruptedException {
        try {
            return chunk.get();
        } catch (ExecutionException e) {
            throw new IllegalStateException("Encoding a batch of examples failed: " + e.getCause().getMessage(), e.getCause());
        }
    }

    @Override
    public void close() {
        threads.shutdownNow();
    }
}
