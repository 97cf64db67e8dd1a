package dev.sluice.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SluiceTest {
    @TempDir
    private Path folder;
    private final StringWriter err = new StringWriter();

    private int run(String... arguments) {
        return Sluice.commandLine().setErr(new PrintWriter(err, true)).execute(arguments);
    }

    private void assertOneLine(String... parts) {
        String text = err.toString();
        assertEquals(1, text.lines().count(), text);
        for (String part : parts) {
            assertTrue(text.contains(part), text);
        }
        assertFalse(text.contains("Exception"), text);
    }

    @Test
    void withoutAPipelineTheWayOutIsNamed() {
        assertEquals(4, run("jobs", "--data", folder.toString()));
        assertOneLine("no pipeline runs in", "./sluice up", "--bootstrap-servers");
    }

    @Test
    void aModelFolderWithoutConfigIsRefusedBeforeAnythingStarts() {
        assertEquals(2, run("train", "--model", folder.toString(), "--data", "x.jsonl"));
        assertOneLine("config.json");
    }

    @Test
    void stoppingNothingIsNoFailure() {
        assertEquals(0, run("down", "--data", folder.toString()));
    }

    @Test
    void anUnknownOptionIsAUsageError() {
        assertEquals(2, run("jobs", "--colour"));
    }
}
