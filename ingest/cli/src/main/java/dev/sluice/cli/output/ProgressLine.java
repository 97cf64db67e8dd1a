package dev.sluice.cli.output;

import dev.sluice.contracts.job.Progress;
import java.io.PrintStream;
import java.util.Locale;

/// One line that grows a bar while a job runs. On a terminal it is redrawn in place; elsewhere (a log file, a pipe)
/// about ten whole lines are printed over the run, so that logs stay readable.
public final class ProgressLine {
    private static final int BAR = 28;
    private static final int LINES_WITHOUT_TERMINAL = 10;
    private final PrintStream out;
    private final boolean terminal;
    private int lastPrinted = -1;
    private boolean open;

    public ProgressLine(PrintStream out, boolean terminal) {
        this.out = out;
        this.terminal = terminal;
    }

    public void show(Progress progress) {
        int every = Math.max(1, progress.totalSteps() / LINES_WITHOUT_TERMINAL);
        boolean due = terminal || progress.step() == progress.totalSteps() || progress.step() / every > Math.floorDiv(lastPrinted, every);
        if (progress.step() <= lastPrinted || !due) {
            return;
        }
        lastPrinted = progress.step();
        out.print(terminal ? "\r\033[2K" + line(progress) : line(progress) + "\n");
        out.flush();
        open = terminal;
    }

    /// Ends the line, so that other text can follow.
    public void finish() {
        if (open) {
            out.println();
            open = false;
        }
    }

    static String line(Progress progress) {
        int filled = progress.totalSteps() == 0 ? 0 : BAR * progress.step() / progress.totalSteps();
        return String.format(Locale.ROOT, "  [%s%s] step %d/%d  loss %.4f  %.0f tokens/s  eta %s", "#".repeat(filled),
                ".".repeat(BAR - filled), progress.step(), progress.totalSteps(), progress.loss(), progress.tokensPerSecond(),
                duration(progress.etaSeconds()));
    }

    static String duration(long seconds) {
        return seconds >= 3600 ? String.format(Locale.ROOT, "%d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60)
                : String.format(Locale.ROOT, "%d:%02d", seconds / 60, seconds % 60);
    }
}
