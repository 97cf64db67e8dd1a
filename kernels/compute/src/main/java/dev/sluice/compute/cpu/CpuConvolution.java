package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.get;
import static dev.sluice.compute.cpu.Memory.set;

import dev.sluice.compute.DType;
import dev.sluice.compute.Segments;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.ConvolutionOps;
import java.util.Arrays;

/// Convolutions of a few taps: every output is summed in the order of the taps.
final class CpuConvolution implements ConvolutionOps {
    private static final int CHUNK = 1 << 14;

    private final Workers workers;

    CpuConvolution(Workers workers) {
        this.workers = workers;
    }

    @Override
    public void forward(Tensor x, Segments segments, Tensor taps, Tensor bias, Tensor y) {
        var call = new Call("convolution", x, segments, taps, y);
        long offsets = bias == null ? 0 : bias.require("convolution", DType.FLOAT32, x.dim(1)).address();
        rows(call, t -> {
            int first = Math.max(0, call.length - 1 - (t - call.start(t)));
            for (int c = 0; c < call.width; c++) {
                float sum = bias == null ? 0 : get(at(offsets, c));
                for (int j = first; j < call.length; j++) {
                    sum = Math.fma(call.tap(c, j), call.in(t - (call.length - 1) + j, c), sum);
                }
                set(call.out(t, c), sum);
            }
        });
    }

    @Override
    public void backward(Tensor dy, Segments segments, Tensor taps, Tensor dx) {
        var call = new Call("convolution backward", dy, segments, taps, dx);
        rows(call, t -> {
            int first = Math.max(0, call.length - (call.end(t) - t));
            for (int c = 0; c < call.width; c++) {
                float sum = 0;
                for (int j = first; j < call.length; j++) {
                    sum = Math.fma(call.tap(c, j), call.in(t + (call.length - 1) - j, c), sum);
                }
                set(call.out(t, c), sum);
            }
        });
    }

    private interface Row {
        void run(int token);
    }

    private void rows(Call call, Row row) {
        workers.rows(call.tokens, Math.max(1, CHUNK / call.width), (first, end, _) -> {
            for (int t = first; t < end; t++) {
                row.run(t);
            }
        });
    }

    /// The checked tensors of one operation.
    private static final class Call {
        private final int tokens;
        private final int width;
        private final int length;
        private final int[] starts;
        private final long from;
        private final long weights;
        private final long to;

        Call(String operation, Tensor from, Segments segments, Tensor taps, Tensor to) {
            this.tokens = segments.tokens();
            from.require(operation, DType.FLOAT32, tokens, -1);
            this.width = Math.toIntExact(from.dim(1));
            taps.require(operation, DType.FLOAT32, width, -1);
            this.length = Math.toIntExact(taps.dim(1));
            this.starts = segments.starts();
            this.from = from.address();
            this.weights = taps.address();
            this.to = to.require(operation, DType.FLOAT32, from.shape()).address();
            if (this.from == this.to) {
                throw new IllegalArgumentException(operation + ": " + from + " cannot be its own result");
            }
        }

        /// First token of that token's document.
        int start(int token) {
            return starts[document(token)];
        }

        /// The token behind its document's last.
        int end(int token) {
            return starts[document(token) + 1];
        }

        private int document(int token) {
            int found = Arrays.binarySearch(starts, token);
            return found >= 0 ? found : -found - 2;
        }

        float tap(int column, int index) {
            return get(at(weights, (long) column * length + index));
        }

        float in(int token, int column) {
            return get(at(from, (long) token * width + column));
        }

        long out(int token, int column) {
            return at(to, (long) token * width + column);
        }
    }
}
