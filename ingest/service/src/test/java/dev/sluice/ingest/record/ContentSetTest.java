package dev.sluice.ingest.record;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.contracts.wire.Sha256;
import org.junit.jupiter.api.Test;

class ContentSetTest {

    @Test
    void remembersEveryMemberThroughGrowth() {
        ContentSet set = new ContentSet();
        for (int i = 0; i < 50_000; i++) {
            assertTrue(set.add(Sha256.of("example " + i)));
        }
        for (int i = 0; i < 50_000; i++) {
            assertFalse(set.add(Sha256.of("example " + i)));
        }
        assertEquals(50_000, set.size());
    }

    @Test
    void zeroIsAMemberLikeOthers() {
        ContentSet set = new ContentSet();
        assertTrue(set.add("0".repeat(64)));
        assertFalse(set.add("0".repeat(64)));
        assertEquals(1, set.size());
    }
}
