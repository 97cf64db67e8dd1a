package dev.sluice.compute;

/// Compact forms of frozen weights, which a backend multiplies with without ever holding them all widened.
public enum Packing {
    /// 8-bit floats (e4m3) with a factor for every 128 numbers of a row. Source: Micikevicius et al. 2022.
    FP8(128),
    /// 4-bit floats (e2m1), two a byte with the lower half first, and an exponent of two for every 32 numbers of a row.
    /// Source: Open Compute Project 2023, Microscaling formats, sections 5.3 and 6.3.
    MXFP4(32),
    /// Places in a table of 16 numbers, two a byte with the upper half first, and a scale for every 64 numbers of a row, which is
    /// kept as a place in a table too: [Nf4] has both tables. Source: Dettmers et al. 2023, QLoRA, section 3.
    NF4(64);

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
        return this == FP8 ? 1 : 2;
    }

    /// Scales of a row of that width.
    public long scales(long width) {
        return Math.ceilDiv(width, block);
    }

    /// Element type of the scales: a factor, an exponent with a bias of 127, or a place in a table.
    public DType scaleType() {
        return this == FP8 ? DType.FLOAT32 : DType.UINT8;
    }
}
