package dev.sluice.cli.output;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class TableTest {
    @Test
    void columnsAlignAndNullIsADash() {
        var table = new Table("NAME", "N").row("long name", 1).row("x", null);
        assertEquals("NAME       N\nlong name  1\nx          -\n", table.toString());
    }
}
