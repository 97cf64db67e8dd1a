package dev.sluice.bench.floor;

/// A dense linear layer of an attention block.
///
/// @param slots how many adapters share its input: three where query, key and value are one product
public record Projection(String name, int in, int out, int slots) {
    long parameters() {
        return (long) in * out;
    }
}
