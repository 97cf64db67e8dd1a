package dev.sluice.compute.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Scaling, clamping, and moving runs of columns.
public interface ColumnContract extends Contract {
    @ParameterizedTest
    @ValueSource(ints = {1, 17, 20_000})
    default void scaleMultipliesInPlace(int count) {
        try (var world = world(count)) {
            var x = world.activations("x", 1, count);
            world.backend().elementwise().scale(x.tensor(), 2.5f);
            world.assertClose(x.tensor(), Arrays.stream(x.values()).map(value -> 2.5 * value).toArray());
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 17, 20_000})
    default void clampHoldsNumbersWithinTheLimitAndStopsGradientsBeyond(int count) {
        try (var world = world(count + 1)) {
            var x = world.activations("x", 2, count);
            var gradient = world.activations("gradient", 1, count);
            var out = world.output("out", count);
            world.backend().elementwise().clamp(x.tensor(), 1.5f, out);
            assertArrayEquals(Arrays.stream(x.values()).map(value -> Math.clamp(value, -1.5, 1.5)).toArray(), world.read(out));
            world.backend().elementwise().clampBackward(gradient.tensor(), x.tensor(), 1.5f);
            assertArrayEquals(IntStream.range(0, count).mapToDouble(i -> Math.abs(x.values()[i]) > 1.5 ? 0 : gradient.values()[i])
                    .toArray(), world.read(gradient.tensor()));
        }
    }

    @ParameterizedTest
    @CsvSource({"1,1,1,0,1,0,1", "5,1,24,8,40,16,16", "7,3,20,4,9,2,5", "300,4,64,0,192,128,64"})
    default void columnsAreCopiedToEveryRowOfTheirToken(int tokens, int heads, int width, int from, int toWidth, int to, int columns) {
        try (var world = world(tokens + heads)) {
            var source = world.activations("source", 1, tokens, 1, width);
            var target = world.activations("target", 1, tokens, heads, toWidth);
            world.backend().elementwise().copyColumns(source.tensor(), from, target.tensor(), to, columns);
            double[] wanted = target.values().clone();
            for (int row = 0; row < tokens * heads; row++) {
                System.arraycopy(source.values(), row / heads * width + from, wanted, row * toWidth + to, columns);
            }
            assertArrayEquals(wanted, world.read(target.tensor()));
        }
    }

    @ParameterizedTest
    @CsvSource({"1,1,1,0,1,0,1", "5,1,24,8,40,16,16", "7,3,20,4,9,2,5", "300,4,192,128,64,0,64"})
    default void columnsAreSummedOverTheRowsOfTheirToken(int tokens, int heads, int width, int from, int toWidth, int to, int columns) {
        try (var world = world(tokens * 2L + heads)) {
            var source = world.activations("source", 1, tokens, heads, width);
            var target = world.activations("target", 1, tokens, 1, toWidth);
            world.backend().elementwise().sumColumns(source.tensor(), from, target.tensor(), to, columns);
            double[] wanted = target.values().clone();
            for (int token = 0; token < tokens; token++) {
                for (int c = 0; c < columns; c++) {
                    double sum = 0;
                    for (int h = 0; h < heads; h++) {
                        sum += source.values()[(token * heads + h) * width + from + c];
                    }
                    wanted[token * toWidth + to + c] = sum;
                }
            }
            world.assertClose(target.tensor(), wanted);
        }
    }

    @Test
    default void columnsBeyondTheirTensorAreRefused() {
        try (var world = world(1)) {
            var narrow = world.activations("narrow", 1, 4, 8).tensor();
            var wide = world.activations("wide", 1, 4, 16).tensor();
            var error = assertThrows(IllegalArgumentException.class,
                    () -> world.backend().elementwise().copyColumns(wide, 0, narrow, 2, 7));
            assertTrue(error.getMessage().contains("copy columns") && error.getMessage().contains("narrow"), error.getMessage());
        }
    }
}
