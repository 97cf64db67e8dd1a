package dev.sluice.bench.floor;

/// What a kernel cannot do without, whoever writes it.
///
/// @param name of the kernel
/// @param flops floating-point operations, all runs together
/// @param bytes every distinct input read once and every output written once, all runs together
public record Work(String name, double flops, double bytes) {
    /// Seconds below which a device with such ceilings cannot do it.
    public double seconds(Ceiling ceiling) {
        return Math.max(flops / ceiling.flops(), bytes / ceiling.bytes());
    }
}
