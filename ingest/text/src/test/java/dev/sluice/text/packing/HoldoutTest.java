package dev.sluice.text.packing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class HoldoutTest {

    private static List<String> heldOut(Holdout holdout) {
        return IntStream.range(0, 10_000).mapToObj(i -> "record-" + i).filter(holdout::holdsOut).toList();
    }

    @Test
    void fractionIsKeptAboutRight() {
        assertEquals(1_000, heldOut(new Holdout(0.1)).size(), 100);
        assertEquals(0, heldOut(Holdout.NONE).size());
        assertEquals(10_000, heldOut(new Holdout(1)).size());
    }

    @Test
    void decisionNeverChanges() {
        // Computed apart from this code: int(sha256(NUL + id)[:8]) >> 11, times 2^-53, below 0.1.
        assertEquals(List.of("record-1", "record-11", "record-16"), heldOut(new Holdout(0.1)).subList(0, 3));
    }

    @Test
    void largerFractionKeepsWhatASmallerOneHeldOut() {
        assertTrue(heldOut(new Holdout(0.2)).containsAll(heldOut(new Holdout(0.1))));
    }

    @Test
    void anotherSaltGivesAnotherSplit() {
        assertFalse(heldOut(new Holdout(0.1, "a")).equals(heldOut(new Holdout(0.1, "b"))));
    }

    @Test
    void fractionOutsideOfZeroToOneIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> new Holdout(1.1));
        assertThrows(IllegalArgumentException.class, () -> new Holdout(Double.NaN));
    }
}
