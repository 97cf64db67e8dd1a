package dev.sluice.bench.check;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.bench.CommandLines;
import org.junit.jupiter.api.Test;

class CheckTest {
    @Test
    void cpuIsWithinItsBounds() {
        var result = CommandLines.run("check", "--backend", "cpu", "--cases", "1");
        assertEquals(0, result.exitCode(), result.out() + result.err());
        assertTrue(result.out().contains("22 cases within their bounds"), result.out());
    }
}
