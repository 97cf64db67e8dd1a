package dev.sluice.cuda;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The sizes of released models suit the fast kernels, forward and backward; needs no GPU, since nothing is launched.
class PublishedSizesTest {
    private static final long ROWS = 4096;

    @ParameterizedTest
    @CsvSource({"Qwen3-30B-A3B,128,2048,768", "Qwen3-235B-A22B,128,4096,1536", "Qwen3-Coder-480B,160,6144,2560",
        "gpt-oss-20b,32,2880,2880", "gpt-oss-120b,128,2880,2880", "GLM-4.5,160,5120,1536", "GLM-4.5-Air,128,4096,1408",
        "GLM-4.7-Flash,64,2048,1536", "DeepSeek-V3,256,7168,2048", "Mixtral-8x7B,8,4096,14336", "OLMoE-1B-7B,64,2048,1024",
        "Granite-3.1-1B-A400M,32,1024,512", "Granite-3.1-3B-A800M,40,1536,512", "ERNIE-4.5-21B-A3B,64,2560,1536",
        "LFM2-8B-A1B,32,2048,1792"})
    void stackOfExpertsSuitsHopper(String model, int experts, int hidden, int width) {
        assertSuits(model, Gemm.Form.FORWARD, experts, 2L * width, hidden);
        assertSuits(model, Gemm.Form.GRADIENT, experts, 2L * width, hidden);
        assertSuits(model, Gemm.Form.FORWARD, experts, hidden, width);
        assertSuits(model, Gemm.Form.GRADIENT, experts, hidden, width);
        assertTrue(experts <= TileSizes.of("ROUTER_MAX_EXPERTS"), model);
    }

    /// Queries, keys and values, outputs, latents, dense layers.
    @ParameterizedTest
    @CsvSource({"gpt-oss query,4096,2880", "gpt-oss key,512,2880", "gpt-oss output,2880,4096", "GLM-4.5 query,12288,5120",
        "GLM-4.5 dense,12288,5120", "GLM-4.5-Air dense,10944,4096", "GLM-4.7-Flash query down,768,2048",
        "GLM-4.7-Flash query up,5120,768", "GLM-4.7-Flash key-value down,576,2048", "GLM-4.7-Flash key-value up,8960,512",
        "GLM-4.7-Flash output,2048,5120", "GLM-4.7-Flash dense,10240,2048", "DeepSeek-V3 query down,1536,7168",
        "DeepSeek-V3 query up,24576,1536", "DeepSeek-V3 key-value down,576,7168", "DeepSeek-V3 key-value up,32768,512",
        "DeepSeek-V3 output,7168,16384", "DeepSeek-V3 dense,18432,7168", "Gemma-3-27B query,4096,5376", "Gemma-3-27B dense,21504,5376",
        "LFM2 convolution input,6144,2048", "LFM2 dense,7168,2048", "ERNIE dense,12288,2560", "ERNIE shared,3072,2560"})
    void linearLayerSuitsHopper(String layer, int out, int in) {
        assertSuits(layer, Gemm.Form.FORWARD, 1, out, in);
        assertSuits(layer, Gemm.Form.GRADIENT, 1, out, in);
    }

    private static void assertSuits(String what, Gemm.Form form, long matrices, long out, long in) {
        boolean forward = form == Gemm.Form.FORWARD;
        var gemm = Gemm.of(null, form, imagined(matrices, out, in)).a(imagined(ROWS, forward ? in : out), forward ? in : out)
                .into(imagined(ROWS, forward ? out : in), Accumulate.REPLACE);
        assertTrue(HopperGemm.suits(gemm), what + " " + form + " of " + out + " x " + in);
    }

    /// A tensor with an address and no memory.
    private static Tensor imagined(long... shape) {
        long bytes = DType.BFLOAT16.bytes(Tensor.elements("imagined", shape));
        return new Tensor("imagined", DType.BFLOAT16, shape, MemorySegment.ofAddress(4096).reinterpret(bytes), new Nowhere());
    }

    /// What owns tensors without memory.
    private static final class Nowhere implements Scope {
        @Override
        public String name() {
            return "nowhere";
        }

        @Override
        public Lifetime lifetime() {
            return Lifetime.STEP;
        }

        @Override
        public Tensor allocate(String name, DType dtype, long... shape) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Scope child(String name) {
            throw new UnsupportedOperationException();
        }

        @Override
        public long bytes() {
            return 0;
        }

        @Override
        public long peakBytes() {
            return 0;
        }

        @Override
        public boolean isOpen() {
            return true;
        }

        @Override
        public void close() {}
    }
}
