package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.LANES;
import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.get;
import static dev.sluice.compute.cpu.Memory.load;
import static dev.sluice.compute.cpu.Memory.set;
import static dev.sluice.compute.cpu.Memory.store;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Products on Java vectors: panels of b, two vectors wide, against a few rows of a at a time.
/// Works everywhere.
final class VectorGemm implements Gemm {
    /// Columns that one pass of the kernel computes.
    private static final int PANEL = 2 * LANES;

    /// Products are cut along k, so that a packed panel stays in the second-level cache.
    private static final int DEPTH = 1024;
    /// From here on packing pays even where b could be read in place: its rows may lie pages apart.
    private static final int WORTH_PACKING_ROWS = 32;

    private static final ThreadLocal<Buffer> BUFFER = ThreadLocal.withInitial(Buffer::new);

    /// A thread's packed panel, [k, PANEL], and behind it a result tile, [MicroKernel.ROWS, PANEL].
    private static final class Buffer {
        private MemorySegment memory = MemorySegment.NULL;

        long panel(int k) {
            long bytes = 4L * PANEL * (k + MicroKernel.ROWS);
            if (memory.byteSize() < bytes) {
                memory = Arena.ofAuto().allocate(bytes, StepMemory.ALIGNMENT);
            }
            return memory.address();
        }
    }

    /// Left operand: element [i, p] lies `i * row + p * step` floats from `address`.
    private record Left(long address, int row, int step) {}

    /// Right operand: element [p, j] lies `p * step + j * column` floats from `address`.
    private record Right(long address, int step, int column) {}

    /// Result: rows `row` floats apart, overwritten or added to.
    private record Result(long address, int row, boolean add) {}

    @Override
    public void nt(int m, int n, int k, float alpha, long a, int lda, long b, int ldb, boolean add, long c, int ldc) {
        multiply(m, n, k, alpha, new Left(a, lda, 1), new Right(b, 1, ldb), new Result(c, ldc, add));
    }

    @Override
    public void nn(int m, int n, int k, float alpha, long a, int lda, long b, int ldb, boolean add, long c, int ldc) {
        multiply(m, n, k, alpha, new Left(a, lda, 1), new Right(b, ldb, 1), new Result(c, ldc, add));
    }

    @Override
    public void tn(int m, int n, int k, float alpha, long a, int lda, long b, int ldb, boolean add, long c, int ldc) {
        multiply(m, n, k, alpha, new Left(a, 1, lda), new Right(b, ldb, 1), new Result(c, ldc, add));
    }

    private static void multiply(int m, int n, int k, float alpha, Left a, Right b, Result c) {
        for (int depth = 0; depth < Math.max(1, k); depth += DEPTH) {
            slice(m, n, Math.min(DEPTH, k - depth), alpha, new Left(at(a.address, (long) depth * a.step), a.row, a.step),
                    new Right(at(b.address, (long) depth * b.step), b.step, b.column),
                    new Result(c.address, c.row, c.add || depth > 0));
        }
    }

    private static void slice(int m, int n, int k, float alpha, Left a, Right b, Result c) {
        long panel = BUFFER.get().panel(k);
        for (int column = 0; column < n; column += PANEL) {
            int width = Math.min(PANEL, n - column);
            long from = at(b.address, (long) column * b.column);
            boolean ready = b.column == 1 && width == PANEL && m < WORTH_PACKING_ROWS;
            if (!ready) {
                pack(from, b, k, width, panel);
            }
            panel(m, k, alpha, a, ready ? from : panel, ready ? b.step : PANEL, at(panel, (long) k * PANEL),
                    new Result(at(c.address, column), c.row, c.add), width);
        }
    }

    private static void pack(long from, Right b, int k, int width, long panel) {
        for (int p = 0; p < k; p++) {
            long row = at(panel, (long) p * PANEL);
            long source = at(from, (long) p * b.step);
            if (b.column == 1 && width == PANEL) {
                store(load(source), row);
                store(load(at(source, LANES)), at(row, LANES));
            } else {
                packPart(source, b.column, width, row);
            }
        }
    }

    private static void packPart(long source, int stride, int width, long row) {
        for (int j = 0; j < width; j++) {
            set(at(row, j), get(at(source, (long) j * stride)));
        }
        for (int j = width; j < PANEL; j++) {
            set(at(row, j), 0f);
        }
    }

    private static void panel(int m, int k, float alpha, Left a, long b, int bStep, long tile, Result c, int width) {
        int i = 0;
        for (; i + MicroKernel.ROWS <= m; i += MicroKernel.ROWS) {
            MicroKernel.rows(k, at(a.address, (long) i * a.row), a.row, a.step, b, bStep, tile);
            write(tile, MicroKernel.ROWS, alpha, c, i, width);
        }
        for (; i < m; i++) {
            MicroKernel.row(k, at(a.address, (long) i * a.row), a.step, b, bStep, tile);
            write(tile, 1, alpha, c, i, width);
        }
    }

    private static void write(long tile, int rows, float alpha, Result c, int first, int width) {
        for (int r = 0; r < rows; r++) {
            long from = at(tile, (long) r * PANEL);
            long to = at(c.address, (long) (first + r) * c.row);
            if (width == PANEL) {
                writeWhole(from, alpha, c.add, to);
            } else {
                writePart(from, alpha, c.add, to, width);
            }
        }
    }

    private static void writeWhole(long from, float alpha, boolean add, long to) {
        var low = load(from).mul(alpha);
        var high = load(at(from, LANES)).mul(alpha);
        store(add ? low.add(load(to)) : low, to);
        store(add ? high.add(load(at(to, LANES))) : high, at(to, LANES));
    }

    private static void writePart(long from, float alpha, boolean add, long to, int width) {
        for (int j = 0; j < width; j++) {
            float value = get(at(from, j)) * alpha;
            set(at(to, j), add ? value + get(at(to, j)) : value);
        }
    }

    @Override
    public String description() {
        return "Java vector products";
    }
}
