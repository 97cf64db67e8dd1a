package dev.sluice.model;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.sluice.compute.Backend;
import dev.sluice.model.decoder.MemoryPlan;
import dev.sluice.model.lora.LoraSettings;
import java.lang.reflect.Proxy;
import java.util.List;
import org.junit.jupiter.api.Test;

class UnpackedWeightsTest {
    private static final int EXPERTS = 3;
    private static final int HIDDEN = 32;
    private static final int WIDTH = 32;

    @Test
    void planCountsRoomForTheLargestPackedWeight() {
        try (Backend cpu = Golden.cpu()) {
            assertEquals(2L * EXPERTS * 2 * WIDTH * HIDDEN, stepBytes(unpackingWhole(cpu)) - stepBytes(cpu));
        }
    }

    private static long stepBytes(Backend backend) {
        return MemoryPlan.of(Golden.read("gpt-oss-mxfp4").model(), backend, Quantization.NONE,
                LoraSettings.of(2, 4, List.of(LoraSettings.ALL_LINEAR), List.of()), true).fixedStepBytes();
    }

    /// The same backend, as if it unpacked whole weights to two bytes a number.
    private static Backend unpackingWhole(Backend backend) {
        return (Backend) Proxy.newProxyInstance(Backend.class.getClassLoader(), new Class<?>[] {Backend.class},
                (_, method, arguments) -> method.getName().equals("unpackedBytes") ? 2 * (long) arguments[0] : method.invoke(backend, arguments));
    }
}
