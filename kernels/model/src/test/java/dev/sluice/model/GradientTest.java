package dev.sluice.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.op.OptimizerState;
import dev.sluice.model.decoder.ActivationLevel;
import dev.sluice.model.decoder.ActivationPolicy;
import dev.sluice.model.decoder.Decoder;
import dev.sluice.model.decoder.LoraBinding;
import dev.sluice.model.decoder.TrainingPass;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.peft.AdapterExport;
import dev.sluice.model.peft.AdapterFormat;
import dev.sluice.model.peft.AdapterReader;
import dev.sluice.model.peft.AdapterWriter;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// The first step's gradients, tensor by tensor, after clipping as the oracle clips them.
class GradientTest {
    @ParameterizedTest
    @MethodSource("dev.sluice.model.GoldenCaseTest#cases")
    void everyTensorsGradientAgrees(Path folder, @TempDir Path out) {
        var golden = OracleCase.read(folder);
        try (var backend = Golden.cpu(); var model = BaseModel.load(golden.model(), backend)) {
            Adapter gradients = gradients(golden, model, backend);
            AdapterWriter.write(gradients, out, new AdapterExport(AdapterFormat.PEFT_3D, DType.FLOAT32, null));
            double clip = Math.min(1, golden.number("/settings/clip") / (golden.number("/steps/0/grad_norm") + 1e-6));
            Map<String, float[]> expected = Tensors.read(golden.expectedFile("first_step_clipped_gradients.safetensors"))
                    .entrySet().stream().collect(Collectors.toMap(e -> e.getKey().replace(".default.", "."), Map.Entry::getValue));
            Map<String, float[]> actual = Tensors.read(out.resolve("adapter_model.safetensors"));
            assertEquals(expected.keySet(), actual.keySet());
            expected.forEach((name, numbers) ->
                    assertTrue(Tensors.relativeError(numbers, scaled(actual.get(name), clip)) < 1e-4, name));
        }
    }

    /// The gradients in the shape of an adapter, so that the writer names them.
    private static Adapter gradients(OracleCase golden, BaseModel model, Backend backend) {
        Adapter adapter = AdapterReader.read(model, golden.adapterInit());
        try (var run = backend.scope(Lifetime.RUN, "gradients")) {
            var arena = backend.optimizer().arena(run, adapter.layout().size(), OptimizerState.EXACT);
            arena.write(adapter.values());
            try (var decoder = new Decoder(model, new LoraBinding(adapter.layout(), arena.values(), arena.gradients()))) {
                var pass = new TrainingPass(decoder, adapter.layout(),
                        ActivationPolicy.uniform(ActivationLevel.INPUT, model.config().layers()));
                int trained = golden.window(0).stream().mapToInt(TokenRow::trainedTokens).sum();
                for (TokenRow row : golden.window(0)) {
                    try (var step = backend.scope(Lifetime.STEP, "micro-batch")) {
                        pass.run(pass.prepare(row, 1f / trained, step), step);
                    }
                }
            }
            var gradients = Arena.ofAuto().allocate(arena.gradients().bytes(), 8);
            backend.download(arena.gradients(), gradients);
            return adapter.withValues(gradients);
        }
    }

    private static float[] scaled(float[] numbers, double factor) {
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] *= (float) factor;
        }
        return numbers;
    }
}
