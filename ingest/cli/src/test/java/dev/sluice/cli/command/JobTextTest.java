package dev.sluice.cli.command;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.sluice.contracts.evaluation.Waiting;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class JobTextTest {

    @Test
    void whatAScoreWaitsForIsSaidOncePerReason() {
        var said = new ByteArrayOutputStream();
        var text = new JobText(new PrintStream(said, true, StandardCharsets.UTF_8));
        Stream.of("the store is away", "the store is away", "no such model", "the store is away")
                .forEach(reason -> text.scoring(new Waiting("adapter", "job", "rows", reason, Instant.now())));
        assertEquals(List.of("  no score yet: the store is away", "  no score yet: no such model", "  no score yet: the store is away"),
                said.toString(StandardCharsets.UTF_8).lines().toList());
    }
}
