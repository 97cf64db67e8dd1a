package dev.sluice.model.safetensors;

import java.util.Arrays;

/// One tensor of a safetensors file.
///
/// @param begin offset of its first byte behind the header
/// @param end offset behind its last byte
public record TensorEntry(String name, ElementType type, long[] shape, long begin, long end) {
    public long bytes() {
        return end - begin;
    }

    public long elements() {
        return bytes() / type.bytes();
    }

    @Override
    public String toString() {
        return name + " " + type + " " + Arrays.toString(shape);
    }
}
