package dev.sluice.bench;

/// One measured operation.
///
/// @param flops operations of the frozen products and of attention; LoRA's own are left out, as the peers' rates do
/// @param bytes every distinct input read once and every output written once
record Case(String name, int tokens, double flops, double bytes, Runnable run) {}
