package dev.sluice.model.peft;

import dev.sluice.compute.DType;

/// How an adapter is written.
///
/// @param format layout of the expert matrices
/// @param storedAs FLOAT32 keeps every bit, BFLOAT16 rounds to nearest even
/// @param baseModel `base_model_name_or_path`: name or path of the model the adapter belongs to, or null
public record AdapterExport(AdapterFormat format, DType storedAs, String baseModel) {
    public AdapterExport {
        if (storedAs != DType.FLOAT32 && storedAs != DType.BFLOAT16) {
            throw new IllegalArgumentException("an adapter is stored as FLOAT32 or BFLOAT16, not as " + storedAs);
        }
    }
}
