package dev.sluice.cli.command;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.contracts.job.AdapterFormat;
import dev.sluice.contracts.job.Lora;
import dev.sluice.contracts.job.Precision;
import dev.sluice.contracts.job.Quantize;
import dev.sluice.contracts.job.Schedule;
import dev.sluice.contracts.job.Training;
import java.util.List;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

class TrainingOptionsTest {
    @CommandLine.Command
    static final class Holder {
        @CommandLine.Mixin
        private TrainingOptions options;
    }

    private static TrainingOptions parse(String... arguments) {
        var holder = new Holder();
        new CommandLine(holder).setCaseInsensitiveEnumValuesAllowed(true).parseArgs(arguments);
        return holder.options;
    }

    @Test
    void shortNamesReachTheSpec() {
        var options = parse("--rank", "4", "--alpha", "8", "--target-modules", "q_proj,k_proj", "--target-parameters",
                "mlp.experts.down_proj", "--learning-rate", "5e-3", "--schedule", "constant", "--warmup", "0", "--weight-decay", "0.01",
                "--clip", "1.0", "--accumulate", "2", "--steps", "8", "--no-packing", "--no-shuffle", "--precision", "float32",
                "--backend", "cpu", "--adapter-format", "peft-3d", "--quantize", "nf4");

        Training training = options.training();
        assertEquals(5e-3, training.learningRate());
        assertEquals(Schedule.CONSTANT, training.schedule());
        assertEquals(2, training.accumulate());
        assertEquals(8, training.steps());
        assertFalse(training.packing());
        assertFalse(training.shuffle());
        assertEquals(Precision.FLOAT32, training.precision());
        Lora lora = options.lora();
        assertEquals(4, lora.rank());
        assertEquals(8.0, lora.alpha());
        assertEquals(List.of("q_proj", "k_proj"), lora.targetModules());
        assertEquals(List.of("mlp.experts.down_proj"), lora.targetParameters());
        assertEquals(AdapterFormat.PEFT_3D, options.adapterFormat());
        assertEquals(Quantize.NF4, options.quantize());
    }

    @Test
    void transformersNamesMeanTheSame() {
        var training = parse("--max-steps", "8", "--gradient-accumulation-steps", "2", "--per-device-train-batch-size", "3",
                "--lr-scheduler-type", "cosine", "--max-grad-norm", "0.5", "--warmup-steps", "4").training();
        assertEquals(8, training.steps());
        assertEquals(2, training.accumulate());
        assertEquals(3, training.batchSize());
        assertEquals(Schedule.COSINE, training.schedule());
        assertEquals(0.5, training.clip());
        assertEquals(4, training.warmupSteps());
    }

    @Test
    void absentOptionsLeaveTheDefaults() {
        assertEquals(Training.defaults(), parse().training());
        assertEquals(Lora.defaults(), parse().lora());
        assertNull(parse().quantize());
        assertTrue(parse("--packing").training().packing());
    }

    @Test
    void noneSwitchesAKindOfTargetOff() {
        assertEquals(List.of(), parse("--target-modules", "none").lora().targetModules());
    }
}
