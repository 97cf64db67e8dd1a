package dev.sluice.trainer.fate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.BackendFaultException;
import dev.sluice.compute.OutOfMemoryException;
import dev.sluice.contracts.job.JobCode;
import dev.sluice.model.UnsupportedModelException;
import dev.sluice.trainer.ownership.OwnershipLostException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.concurrent.CompletionException;
import org.apache.kafka.common.errors.TimeoutException;
import org.junit.jupiter.api.Test;

class FatesTest {

    @Test
    void usersMistakesAreRejectedWithoutAStackTrace() {
        var mistake = new UnsupportedModelException("model_type marvin");
        assertEquals(new Fate.Reject(JobCode.MODEL_UNSUPPORTED, "model_type marvin"), Fates.of(mistake));
        assertFalse(Fates.isUnexpected(mistake));
    }

    @Test
    void backendThatDoesNotDoItsWorkIsRejectedWithoutAStackTrace() {
        for (var fault : List.of(new BackendFaultException("hopper", "a training step did not run its kernels"),
                new UnsupportedOperationException("the GPU has no convolution"))) {
            Fate.Reject fate = assertInstanceOf(Fate.Reject.class, Fates.of(fault));
            assertEquals(JobCode.BACKEND_UNAVAILABLE, fate.code());
            assertEquals(fault.getMessage(), fate.reason());
            assertFalse(Fates.isUnexpected(fault));
        }
    }

    @Test
    void tooLittleMemoryIsRejectedWithTheNumbers() {
        Fate.Reject fate = assertInstanceOf(Fate.Reject.class, Fates.of(new OutOfMemoryException("activations", 300, 200)));
        assertEquals(JobCode.GPU_OOM, fate.code());
        assertTrue(fate.reason().contains("300") && fate.reason().contains("200"), fate.reason());
    }

    @Test
    void fullDiskAndSilentStoreAreTriedAgain() {
        assertEquals(JobCode.DISK_FULL, retry(new IOException("/store: No space left on device")));
        assertEquals(JobCode.STORAGE_UNAVAILABLE, retry(new UncheckedIOException(new IOException("stale file handle"))));
        assertEquals(JobCode.STORAGE_UNAVAILABLE, retry(new TimeoutException("no broker")));
    }

    @Test
    void lostOwnershipIsDroppedHoweverItArrives() {
        assertInstanceOf(Fate.Dropped.class, Fates.of(new CompletionException(new OwnershipLostException("other"))));
    }

    @Test
    void faultOfOursIsTriedAgainAndLogged() {
        var fault = new IllegalStateException("impossible");
        assertEquals(JobCode.INTERNAL, retry(fault));
        assertTrue(Fates.isUnexpected(fault));
    }

    @Test
    void brokenDeviceStopsTheProcess() {
        assertInstanceOf(Fate.Stop.class, Fates.of(new UnsatisfiedLinkError("libcuda.so.1")));
    }

    private static JobCode retry(Throwable failure) {
        return assertInstanceOf(Fate.Retry.class, Fates.of(failure)).code();
    }
}
