package dev.sluice.compute;

/// What the 4-bit codes of [Packing#MXFP4] stand for. Source: OCP Microscaling Formats 1.0, section 5.3.3, E2M1.
public final class Mxfp4 {
    private static final float[] NUMBERS = {0f, 0.5f, 1f, 1.5f, 2f, 3f, 4f, 6f, -0f, -0.5f, -1f, -1.5f, -2f, -3f, -4f, -6f};

    private Mxfp4() {}

    /// The 16 numbers in the order of their codes, as a copy.
    public static float[] numbers() {
        return NUMBERS.clone();
    }
}
