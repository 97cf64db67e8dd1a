package dev.sluice.trainer.run;

import dev.sluice.compute.DType;
import dev.sluice.compute.op.OptimizerState;
import dev.sluice.contracts.job.JobCode;
import dev.sluice.contracts.job.Lora;
import dev.sluice.contracts.job.Precision;
import dev.sluice.contracts.job.Quantize;
import dev.sluice.contracts.job.Training;
import dev.sluice.model.Quantization;
import dev.sluice.model.lora.LoraSettings;
import dev.sluice.model.peft.AdapterFormat;
import dev.sluice.model.peft.PeftLoading;
import dev.sluice.model.training.Schedule;
import dev.sluice.model.training.TrainingSettings;
import dev.sluice.trainer.fate.JobException;

/// A job's settings in the engine's words.
final class Settings {

    private Settings() {}

    static LoraSettings lora(Lora lora) {
        return new LoraSettings(lora.rank(), lora.alpha(), lora.targetModules(), lora.targetParameters(), lora.rslora(),
                lora.rankPattern(), lora.alphaPattern());
    }

    /// @param totalSteps optimiser steps of the run
    /// @param state what the optimiser keeps of every parameter
    static TrainingSettings training(Training training, int totalSteps, OptimizerState state) {
        double clip = training.clip() == 0 ? Double.POSITIVE_INFINITY : training.clip();
        return new TrainingSettings(training.learningRate(), schedule(training), Math.min(training.warmupSteps(totalSteps), totalSteps),
                totalSteps, training.beta1(), training.beta2(), training.epsilon(), training.weightDecay(), clip,
                state);
    }

    /// @param wanted null where nobody chose
    static AdapterFormat format(dev.sluice.contracts.job.AdapterFormat wanted, PeftLoading peft) {
        return switch (wanted) {
            case null -> peft.format();
            case PEFT_3D -> AdapterFormat.PEFT_3D;
            case PER_EXPERT -> AdapterFormat.PER_EXPERT;
        };
    }

    static dev.sluice.contracts.job.AdapterFormat announced(AdapterFormat format) {
        return switch (format) {
            case PEFT_3D -> dev.sluice.contracts.job.AdapterFormat.PEFT_3D;
            case PER_EXPERT -> dev.sluice.contracts.job.AdapterFormat.PER_EXPERT;
        };
    }

    /// The type an adapter is stored in. The master copy that is trained is always float32, so that is what `auto` keeps.
    static DType stored(Precision precision) {
        return switch (precision) {
            case FLOAT32, AUTO -> DType.FLOAT32;
            case BFLOAT16 -> DType.BFLOAT16;
        };
    }

    static Quantization quantization(Quantize wanted) {
        return switch (wanted) {
            case null -> Quantization.NONE;
            case NONE -> Quantization.NONE;
            case NF4 -> Quantization.NF4;
        };
    }

    /// Refuses a precision that the backend does not compute in.
    static void checkPrecision(Precision wanted, DType computed, String backend) {
        boolean fits = switch (wanted) {
            case AUTO -> true;
            case FLOAT32 -> computed == DType.FLOAT32;
            case BFLOAT16 -> computed == DType.BFLOAT16;
        };
        if (!fits) {
            throw JobException.reject(JobCode.INVALID_SPEC, "precision " + wanted + " was asked for, backend " + backend + " computes in "
                    + computed + "; ask for precision auto or another backend");
        }
    }

    private static Schedule schedule(Training training) {
        return switch (training.schedule()) {
            case CONSTANT -> Schedule.CONSTANT;
            case LINEAR -> Schedule.LINEAR;
            case COSINE -> Schedule.COSINE;
        };
    }
}
