package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.get;
import static dev.sluice.compute.cpu.Memory.set;

import dev.sluice.compute.Mxfp4;
import dev.sluice.compute.Nf4;
import dev.sluice.compute.Packing;
import dev.sluice.compute.Weight;

/// Rows of a packed weight, widened where they are needed.
///
/// @param codes address of the first row's codes
/// @param scales address of the first row's scales
/// @param groups address of the first group's factor and offset, or 0
/// @param groupSize scales in a group, or 0
/// @param in numbers in a row
record PackedRows(Unpacking unpacking, long codes, long scales, long groups, int groupSize, int in) {
    static PackedRows of(Weight.Packed weight) {
        boolean grouped = weight.groups() != null;
        return new PackedRows(Unpacking.of(weight.packing()), weight.codes().address(), weight.scales().address(),
                grouped ? weight.groups().address() : 0, grouped ? weight.groupSize() : 0, Math.toIntExact(weight.in()));
    }

    /// Widens rows first to first + count - 1 to [count, in].
    void widen(long first, int count, long to) {
        for (int i = 0; i < count; i++) {
            unpacking.widen(this, first + i, at(to, (long) i * in));
        }
    }

    /// The exact numbers that codes stand for.
    enum Unpacking {
        FP8 {
            @Override
            void widen(PackedRows rows, long row, long to) {
                int in = rows.in;
                long from = rows.codes + row * in;
                long scale = at(rows.scales, row * Math.ceilDiv(in, 128));
                for (int block = 0; block < in; block += 128) {
                    float factor = get(at(scale, block / 128));
                    int end = Math.min(in, block + 128);
                    for (int i = block; i < end; i++) {
                        set(at(to, i), E4M3[Memory.getByte(from + i) & 255] * factor);
                    }
                }
            }
        },
        MXFP4 {
            @Override
            void widen(PackedRows rows, long row, long to) {
                int in = rows.in;
                long from = rows.codes + row * (in / 2);
                long scale = rows.scales + row * (in / 32);
                for (int block = 0; block < in; block += 32) {
                    float factor = powerOfTwo(Memory.getByte(scale + block / 32) & 255);
                    for (int i = block; i < block + 32; i += 2) {
                        int pair = Memory.getByte(from + i / 2);
                        set(at(to, i), E2M1[pair & 15] * factor);
                        set(at(to, i + 1), E2M1[pair >> 4 & 15] * factor);
                    }
                }
            }
        },
        NF4 {
            @Override
            void widen(PackedRows rows, long row, long to) {
                int in = rows.in;
                long from = rows.codes + row * (in / 2);
                long scale = row * (in / 64);
                for (int block = 0; block < in; block += 64) {
                    float factor = scale(rows, scale + block / 64);
                    for (int i = block; i < block + 64; i += 2) {
                        int pair = Memory.getByte(from + i / 2);
                        set(at(to, i), NORMAL[pair >> 4 & 15] * factor);
                        set(at(to, i + 1), NORMAL[pair & 15] * factor);
                    }
                }
            }

            private static float scale(PackedRows rows, long index) {
                long group = at(rows.groups, index / rows.groupSize * 2);
                return DYNAMIC[Memory.getByte(rows.scales + index) & 255] * get(group) + get(at(group, 1));
            }
        };

        private static final float[] E4M3 = e4m3();
        private static final float[] E2M1 = Mxfp4.numbers();
        private static final float[] NORMAL = Nf4.numbers();
        private static final float[] DYNAMIC = Nf4.scales();

        abstract void widen(PackedRows rows, long row, long to);

        static Unpacking of(Packing packing) {
            return switch (packing) {
                case FP8 -> FP8;
                case MXFP4 -> MXFP4;
                case NF4 -> NF4;
            };
        }

        /// `2^(code - 127)`; 255 stands for NaN.
        private static float powerOfTwo(int code) {
            return switch (code) {
                case 0 -> 0x1p-127f;
                case 255 -> Float.NaN;
                default -> Float.intBitsToFloat(code << 23);
            };
        }

        /// Exponents of 4 bits with a bias of 7, mantissas of 3, no infinities.
        private static float[] e4m3() {
            float[] table = new float[256];
            for (int code = 0; code < table.length; code++) {
                int exponent = code >> 3 & 15;
                int mantissa = code & 7;
                float magnitude = exponent == 0 ? Math.scalb((float) mantissa, -9) : Math.scalb(8f + mantissa, exponent - 10);
                table[code] = (code & 127) == 127 ? Float.NaN : code > 127 ? -magnitude : magnitude;
            }
            return table;
        }
    }
}
