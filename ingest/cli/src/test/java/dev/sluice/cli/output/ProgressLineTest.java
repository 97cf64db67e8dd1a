package dev.sluice.cli.output;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.contracts.job.Progress;
import dev.sluice.contracts.job.Stage;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import org.junit.jupiter.api.Test;

class ProgressLineTest {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8);

    private static Progress at(int step, int total) {
        return new Progress("job-1", 1, Stage.TRAINING, step, total, 0.5, 1.25, 1e-3, 0.7, 100, 5120.4, 0, 12.5, 0.1, 75, Instant.EPOCH);
    }

    @Test
    void aLineTellsStepLossRateAndTimeLeft() {
        assertEquals("  [##############..............] step 60/120  loss 1.2500  5120 tokens/s  eta 1:15", ProgressLine.line(at(60, 120)));
    }

    @Test
    void withoutATerminalARunPrintsAboutTenWholeLines() {
        var bar = new ProgressLine(out, false);
        for (int step = 1; step <= 120; step++) {
            bar.show(at(step, 120));
        }
        String text = bytes.toString(StandardCharsets.UTF_8);
        assertEquals(11, text.lines().count());
        assertTrue(text.endsWith("step 120/120  loss 1.2500  5120 tokens/s  eta 1:15\n"), text);
    }

    @Test
    void onATerminalTheLineIsRedrawnAndEndedOnce() {
        var bar = new ProgressLine(out, true);
        bar.show(at(1, 2));
        bar.show(at(2, 2));
        bar.finish();
        bar.finish();
        String text = bytes.toString(StandardCharsets.UTF_8);
        assertEquals(1, text.lines().filter(line -> line.contains("step 2/2")).count());
        assertTrue(text.endsWith("\n") && text.startsWith("\r"), text);
    }

    @Test
    void hoursAreWrittenOut() {
        assertEquals("2:03:04", ProgressLine.duration(2 * 3600 + 3 * 60 + 4));
    }
}
