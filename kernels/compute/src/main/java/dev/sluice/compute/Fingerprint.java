package dev.sluice.compute;

/// What the speed of a backend depends on besides the shapes: equal texts mean equal speed.
///
/// @param device card or processor and driver
/// @param kernels SHA-256 of each kernel image; empty where there are none
public record Fingerprint(String device, String kernels) {}
