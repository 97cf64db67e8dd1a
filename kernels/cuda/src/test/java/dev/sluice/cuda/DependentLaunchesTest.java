package dev.sluice.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.cuda.DependentLaunches.Grid;
import dev.sluice.cuda.DependentLaunches.Rule;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Which kernels may overlap the one before, and what the driver is told; the device is not needed for that.
class DependentLaunchesTest {
    private static final int MULTIPROCESSORS = 132;
    private static final Grid PRODUCT = new Grid(132, 1, 215_296);
    private static final Grid SMALL = new Grid(256, 16, 0);
    private static final Grid FULL = new Grid(132 * 8, 8, 0);

    @AfterEach
    void forget() {
        System.clearProperty(DependentLaunches.PROPERTY);
    }

    private static DependentLaunches launches(Rule rule) {
        return new DependentLaunches(rule, 90, MULTIPROCESSORS);
    }

    private static boolean second(Rule rule, Grid before, Grid grid) {
        var launches = launches(rule);
        assertFalse(launches.next(before), "there is no kernel before the first");
        return launches.next(grid);
    }

    @Test
    void gridThatWouldCrowdBehindLargeTilesWaitsForTheirEnd() {
        assertFalse(second(Rule.SPREAD, PRODUCT, SMALL));
        assertTrue(second(Rule.SPREAD, PRODUCT, FULL));
        assertTrue(second(Rule.SPREAD, PRODUCT, PRODUCT));
        assertTrue(second(Rule.SPREAD, SMALL, SMALL));
        assertTrue(second(Rule.SPREAD, SMALL, PRODUCT));
        assertTrue(second(Rule.ALL, PRODUCT, SMALL));
        assertFalse(second(Rule.OFF, SMALL, SMALL));
    }

    @ParameterizedTest
    @EnumSource(Rule.class)
    void kernelsThatDoNotWaitDependWhole(Rule rule) {
        var launches = new DependentLaunches(rule, 89, MULTIPROCESSORS);
        IntStream.range(0, 3).forEach(i -> assertFalse(launches.next(SMALL)));
        assertEquals(0, launches.count());
    }

    @Test
    void kernelBehindAnythingElseDependsWhole() {
        var launches = launches(Rule.ALL);
        launches.next(SMALL);
        launches.interrupt();
        assertFalse(launches.next(SMALL));
        assertTrue(launches.next(SMALL));
        assertEquals(1, launches.count());
    }

    @Test
    void propertyChoosesTheRule() {
        assertEquals(Rule.SPREAD, Rule.wanted());
        System.setProperty(DependentLaunches.PROPERTY, "off");
        assertEquals(Rule.OFF, Rule.wanted());
        System.setProperty(DependentLaunches.PROPERTY, "true");
        String message = assertThrows(IllegalArgumentException.class, Rule::wanted).getMessage();
        assertEquals("sluice.cuda.dependent should be one of off, spread, all, is true", message);
    }

    /// `CUlaunchConfig` and `CUlaunchAttribute` of CUDA 13's `cuda.h`.
    @Test
    void driverIsToldTheLaunchAndItsAttribute() {
        try (var config = new LaunchConfig()) {
            var shape = new DriverLibrary.Shape(2, 3, 4, 128, 1024);
            var told = config.of(shape, 0x1234567890L, true);
            assertEquals(56, told.byteSize());
            assertArrayEquals(new int[] {2, 3, 4, 128, 1, 1, 1024}, told.asSlice(0, 28).toArray(JAVA_INT));
            assertEquals(0x1234567890L, told.get(JAVA_LONG, 32));
            assertEquals(1, told.get(JAVA_INT, 48));
            var attribute = told.get(ADDRESS, 40).reinterpret(72);
            assertEquals(6, attribute.get(JAVA_INT, 0));
            assertEquals(1, attribute.get(JAVA_INT, 8));
            assertEquals(0, config.of(shape, 0, false).get(JAVA_INT, 48));
        }
    }
}
