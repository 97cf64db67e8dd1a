package dev.sluice.cli.command;

import dev.sluice.contracts.job.AdapterFormat;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/// Reads an adapter format as it is spelt in messages: `per-expert`, `peft-3d`.
final class AdapterFormatName implements ITypeConverter<AdapterFormat> {
    @Override
    public AdapterFormat convert(String value) {
        return switch (value) {
            case "per-expert" -> AdapterFormat.PER_EXPERT;
            case "peft-3d" -> AdapterFormat.PEFT_3D;
            default -> throw new TypeConversionException("must be per-expert or peft-3d, was '" + value + "'");
        };
    }
}
