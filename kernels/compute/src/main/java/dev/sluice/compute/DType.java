package dev.sluice.compute;

/// Element types of tensors. The width decides byte sizes and alignment; what a backend computes in is its own affair.
public enum DType {
    FLOAT32(4),
    BFLOAT16(2),
    FLOAT16(2),
    INT32(4),
    UINT8(1);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /// Bytes of one element.
    public int bytes() {
        return bytes;
    }

    /// Bytes of `elements` elements.
    ///
    /// @throws ArithmeticException if the product overflows a long
    public long bytes(long elements) {
        return Math.multiplyExact(elements, bytes);
    }
}
