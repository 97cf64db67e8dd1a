package dev.sluice.trainer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.model.decoder.OptimizerChoice;
import io.smallrye.config.ConfigValidationException;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// Pins every key and its default: changing one is a change for every operator.
class TrainerConfigTest {

    @Test
    void keysAndDefaultsAreTheDocumentedOnes() {
        TrainerConfig config = read(Map.of("sluice.store", "file:/store", "HOME", "/home/u"));
        assertEquals("sluice", config.topicPrefix());
        assertEquals(1, config.replicationFactor());
        assertEquals(URI.create("file:/store"), config.store());
        assertEquals(Optional.empty(), config.models());
        assertEquals(Optional.empty(), config.backend());
        assertTrue(config.graphs());
        assertTrue(config.tune());
        assertFalse(read(Map.of("sluice.store", "file:/store", "HOME", "/home/u", "sluice.tune", "off")).tune());
        assertEquals(Path.of("/home/u/.sluice/speed.properties"), config.speeds());
        assertEquals(Path.of("/home/u/.sluice/scratch"), config.scratch());
        assertEquals("trainer", config.trainer().name());
        assertEquals(Duration.ofSeconds(15), config.trainer().lease());
        assertEquals(Duration.ofMinutes(10), config.trainer().checkpointInterval());
        assertEquals(Duration.ofSeconds(30), config.trainer().retryAfter());
        assertEquals(Duration.ofMinutes(4), config.trainer().grace());
        assertEquals(Duration.ofMinutes(5), config.trainer().stalledAfter());
        assertEquals("auto", config.trainer().memory().policy());
        assertEquals(Optional.empty(), config.trainer().memory().budget());
        assertEquals(OptimizerChoice.AUTO, config.trainer().memory().optimizerState());
    }

    @Test
    void noOtherKeyExists() {
        Set<String> keys = Stream.of(TrainerConfig.class, TrainerConfig.Trainer.class, TrainerConfig.Memory.class)
                .flatMap(type -> Arrays.stream(type.getDeclaredMethods())).map(method -> method.getName())
                .filter(name -> !name.startsWith("$")).collect(Collectors.toCollection(TreeSet::new));
        assertEquals(Set.of("topicPrefix", "replicationFactor", "store", "models", "backend", "tune", "speeds", "graphs", "scratch", "trainer", "name", "lease",
                "checkpointInterval", "retryAfter", "grace", "stalledAfter", "memory", "policy", "budget",
                "optimizerState"), keys);
    }

    @Test
    void storeHasNoDefaultBecauseAWrongGuessLosesAdapters() {
        assertThrows(ConfigValidationException.class, () -> read(Map.of()));
    }

    private static TrainerConfig read(Map<String, String> values) {
        return new SmallRyeConfigBuilder().addDefaultInterceptors().withMapping(TrainerConfig.class)
                .withDefaultValues(values).build().getConfigMapping(TrainerConfig.class);
    }
}
