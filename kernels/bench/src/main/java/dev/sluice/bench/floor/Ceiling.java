package dev.sluice.bench.floor;

/// What a device can do at most.
///
/// @param flops operations a second in large matrix products
/// @param bytes bytes a second, read and written
/// @param source where the two come from
public record Ceiling(double flops, double bytes, String source) {
    private static final double TERA = 1e12;

    public Ceiling {
        if (!(flops > 0) || !(bytes > 0)) {
            throw new IllegalArgumentException("ceilings must be above 0, were " + flops + " operations/s and " + bytes + " bytes/s");
        }
    }

    public static Ceiling ofTera(double teraflops, double terabytes, String source) {
        return new Ceiling(teraflops * TERA, terabytes * TERA, source);
    }

    public double teraflops() {
        return flops / TERA;
    }

    public double terabytes() {
        return bytes / TERA;
    }
}
