package dev.sluice.compute;

/// Compact forms of frozen weights, which a backend multiplies with without ever holding them all widened.
public enum Packing {
    /// 8-bit floats (e4m3) with a factor for every 128 numbers of a row. Source: Micikevicius et al. 2022.
    FP8(128),
    /// 4-bit floats (e2m1), two a byte with the lower half first, and an exponent of two for every 32 numbers of a row.
    /// Source: Open Compute Project 2023, Microscaling formats, sections 5.3 and 6.3.
    MXFP4(32);

    private final int block;

    Packing(int block) {
        this.block = block;
    }

    /// Numbers of a row that share a scale.
    public int block() {
        return block;
    }

    /// Numbers whose codes share a byte.
    public int numbersPerByte() {
        return this == MXFP4 ? 2 : 1;
    }

    /// Scales of a row of that width.
    public long scales(long width) {
        return Math.ceilDiv(width, block);
    }

    /// Element type of the scales: a factor, or an exponent with a bias of 127.
    public DType scaleType() {
        return this == MXFP4 ? DType.UINT8 : DType.FLOAT32;
    }
}
