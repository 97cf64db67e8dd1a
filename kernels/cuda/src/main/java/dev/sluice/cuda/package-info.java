/// The NVIDIA backends. Kernels are CUDA C++ under `src/main/cuda`; each family has a Java twin here that checks what the kernel
/// requires and launches it. JCuda opens the device; what JCuda lacks or does slowly goes to the driver through java.lang.foreign.
package dev.sluice.cuda;
