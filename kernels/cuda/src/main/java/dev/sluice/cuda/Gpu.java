package dev.sluice.cuda;

/// A CUDA device, as the driver describes it before anything is opened.
///
/// @param ordinal the driver's number of it
/// @param capability compute capability times ten: 90 for 9.0
/// @param sharedBytes shared memory that a block may have
/// @param driver version of the driver's API times a thousand: 13000 for 13.0
record Gpu(int ordinal, String name, int capability, int multiprocessors, int sharedBytes, long memoryBytes, int driver) {
    private static final int BFLOAT16_CAPABILITY = 80;

    String describe() {
        return name + ", compute capability " + capability / 10 + "." + capability % 10 + ", " + (memoryBytes >> 30)
                + " GiB, driver API " + version(driver);
    }

    /// Everything that kernels' speed depends on, besides the kernels.
    String fingerprint() {
        return name + ", compute capability " + capability + ", " + multiprocessors + " multiprocessors, " + memoryBytes + " bytes, driver "
                + CudaDriver.release() + ", driver API " + driver;
    }

    /// Whether it has neither bf16 products nor copies in the background, as cards before compute capability 8.0: kernels for them differ.
    static boolean turing(int capability) {
        return capability < BFLOAT16_CAPABILITY;
    }

    static String version(int driver) {
        return driver / 1000 + "." + driver % 1000 / 10;
    }
}
