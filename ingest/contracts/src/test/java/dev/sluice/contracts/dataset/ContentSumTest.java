package dev.sluice.contracts.dataset;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import dev.sluice.contracts.wire.Sha256;
import org.junit.jupiter.api.Test;

class ContentSumTest {

    private static final String A = Sha256.of("a");
    private static final String B = Sha256.of("b");

    @Test
    void orderDoesNotMatter() {
        assertEquals(ContentSum.ZERO.plus(A).plus(B), ContentSum.ZERO.plus(B).plus(A));
    }

    @Test
    void everyMemberAndTheCountMatter() {
        assertNotEquals(ContentSum.ZERO.plus(A).hex(), ContentSum.ZERO.plus(B).hex());
        assertNotEquals(ContentSum.ZERO.datasetSha256(0), ContentSum.ZERO.datasetSha256(1));
    }

    @Test
    void theSumWrapsAndKeepsItsWidth() {
        ContentSum most = ContentSum.parse("f".repeat(64));
        assertEquals("0".repeat(64), most.plus("0".repeat(63) + "1").hex());
        assertEquals(most, ContentSum.parse(most.hex()));
    }
}
