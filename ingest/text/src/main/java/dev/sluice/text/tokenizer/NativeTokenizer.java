package dev.sluice.text.tokenizer;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.huggingface.tokenizers.jni.CharSpan;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/// The tokenizers library behind DJL, set to do exactly what the file says: no truncation, no padding, and no special
/// tokens but those in the text (a template writes its own beginning-of-text token, and a second one spoils the row).
final class NativeTokenizer implements AutoCloseable {

    private static final Duration LOAD_LIMIT = Duration.ofSeconds(60);

    static {
        // DJL picks its library by the GPU it sees and downloads the one for CUDA; the one for the CPU is in the jar.
        setUnlessSet("RUST_FLAVOR", "cpu");
        setUnlessSet("ai.djl.offline", "true");
        setUnlessSet("OPT_OUT_TRACKING", "true");
    }

    private final HuggingFaceTokenizer tokenizer;

    private NativeTokenizer(HuggingFaceTokenizer tokenizer) {
        this.tokenizer = tokenizer;
    }

    /// Loads on a thread of its own, so that a file which keeps native code busy for ever is given up.
    static NativeTokenizer load(ModelFolder folder, Path file) {
        var task = new FutureTask<>(() -> build(file));
        Thread.ofPlatform().daemon().name("tokenizer-load").start(task);
        try {
            return new NativeTokenizer(task.get(LOAD_LIMIT.toSeconds(), TimeUnit.SECONDS));
        } catch (ExecutionException e) {
            throw failed(folder, e.getCause());
        } catch (TimeoutException e) {
            throw folder.damaged("tokenizer.json", "did not load within " + LOAD_LIMIT.toSeconds() + " seconds.", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw folder.damaged("tokenizer.json", "was not loaded: the thread was interrupted.", e);
        }
    }

    private static HuggingFaceTokenizer build(Path file) throws IOException {
        return HuggingFaceTokenizer.builder().optTokenizerPath(file)
                .optTruncation(false).optPadding(false).optAddSpecialTokens(false).build();
    }

    private static RuntimeException failed(ModelFolder folder, Throwable cause) {
        if (cause instanceof LinkageError || cause instanceof ai.djl.engine.EngineException) {
            return new IllegalStateException("The native tokenizer library could not be loaded: " + cause.getMessage()
                    + ". It is unpacked to ~/.djl.ai: make that folder writable, or name another in DJL_CACHE_DIR.", cause);
        }
        return folder.damaged("tokenizer.json", "is refused by the tokenizers library: " + cause.getMessage() + ".", cause);
    }

    Encoded encode(String text) {
        return encoded(tokenizer.encode(text, false, false));
    }

    List<Encoded> encode(List<String> texts) {
        return texts.isEmpty() ? List.of()
                : Arrays.stream(tokenizer.batchEncode(texts, false, false)).map(NativeTokenizer::encoded).toList();
    }

    /// Ids that the file's own post-processor puts before a text.
    int[] prefix() {
        return ints(tokenizer.encode("", true, false).getIds());
    }

    String decode(int[] ids, boolean skipSpecialTokens) {
        return tokenizer.decode(Arrays.stream(ids).asLongStream().toArray(), skipSpecialTokens);
    }

    @Override
    public void close() {
        tokenizer.close();
    }

    private static Encoded encoded(Encoding encoding) {
        CharSpan[] spans = encoding.getCharTokenSpans();
        int[] starts = new int[spans.length];
        int[] ends = new int[spans.length];
        for (int i = 0; i < spans.length; i++) {
            // No span: a token without text of its own, such as one added by a post-processor.
            starts[i] = spans[i] == null ? 0 : spans[i].getStart();
            ends[i] = spans[i] == null ? 0 : spans[i].getEnd();
        }
        return new Encoded(ints(encoding.getIds()), starts, ends);
    }

    private static int[] ints(long[] ids) {
        return Arrays.stream(ids).mapToInt(Math::toIntExact).toArray();
    }

    private static void setUnlessSet(String property, String value) {
        if (System.getenv(property) == null && System.getProperty(property) == null) {
            System.setProperty(property, value);
        }
    }
}
