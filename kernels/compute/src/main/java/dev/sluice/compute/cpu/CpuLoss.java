package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.get;
import static dev.sluice.compute.cpu.Memory.getInt;
import static dev.sluice.compute.cpu.Memory.set;

import dev.sluice.compute.DType;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.LossOps;
import java.util.stream.IntStream;

/// Cross entropy, a chunk of tokens at a time; tokens without a label are left out of every product.
final class CpuLoss implements LossOps {
    /// Logits that exist at once: 32 MiB, or one row where a row is longer.
    private static final int LOGITS = 1 << 23;
    private static final int LONGEST_CHUNK = 512;
    private static final int ROWS = 8;

    private final Workers workers;
    private final CpuLinear linear;

    CpuLoss(Workers workers, CpuLinear linear) {
        this.workers = workers;
        this.linear = linear;
    }

    /// Tokens whose logits exist at one time.
    static int chunk(int vocabulary) {
        return Math.clamp(LOGITS / vocabulary, 1, LONGEST_CHUNK);
    }

    /// The head and the tensors of either call, checked.
    private record Call(LinearWeight head, long bias, Adapter lora, int tokens, long hidden, long labels, long nll) {
        static Call of(String operation, Tensor hidden, Linear head, Tensor labels, Tensor nll) {
            LinearWeight matrix = LinearWeight.of(operation, head.weight());
            hidden.require(operation, DType.FLOAT32, -1, matrix.in());
            int tokens = Math.toIntExact(hidden.dim(0));
            labels.require(operation, DType.INT32, tokens);
            nll.require(operation, DType.FLOAT32, tokens);
            long bias = head.bias() == null ? 0 : head.bias().require(operation, DType.FLOAT32, matrix.out()).address();
            var call = new Call(matrix, bias, Adapter.of(operation, head.lora()), tokens, hidden.address(), labels.address(),
                    nll.address());
            call.requireLabels(operation);
            return call;
        }

        private void requireLabels(String operation) {
            for (int t = 0; t < tokens; t++) {
                int label = label(t);
                if (label != IGNORED && (label < 0 || label >= head.out())) {
                    throw new IllegalArgumentException(operation + ": label of token " + t + " is " + label
                            + ", should be " + IGNORED + " or 0 to " + (head.out() - 1));
                }
            }
        }

        int label(int token) {
            return getInt(at(labels, token));
        }

        int chunk() {
            return CpuLoss.chunk(head.out());
        }

        int rank() {
            return lora == null ? 0 : lora.rank();
        }
    }

    @Override
    public void crossEntropy(Tensor hidden, Linear head, Tensor labels, Tensor gradientScale, Tensor nll, Tensor headZ,
            Tensor dHidden, Scope scratch) {
        String operation = "cross entropy";
        var call = Call.of(operation, hidden, head, labels, nll);
        dHidden.require(operation, DType.FLOAT32, hidden.shape());
        float scale = get(gradientScale.require(operation, DType.FLOAT32, 1).address());
        if (call.rank() > 0 && headZ != null) {
            headZ.require(operation, DType.FLOAT32, call.tokens(), call.rank());
        }
        int[] trained = IntStream.range(0, call.tokens()).filter(t -> call.label(t) != IGNORED).toArray();
        int width = call.head().in();
        Memory.zero(nll.address(), nll.bytes());
        Memory.zero(dHidden.address(), dHidden.bytes());
        int longest = Math.min(call.chunk(), Math.max(1, trained.length));
        try (var own = scratch.child("crossEntropy")) {
            long logits = own.allocate("logits", DType.FLOAT32, longest, call.head().out()).address();
            long gathered = own.allocate("hidden", DType.FLOAT32, longest, width).address();
            long gradients = own.allocate("dHidden", DType.FLOAT32, longest, width).address();
            long z = call.rank() == 0 ? 0 : own.allocate("z", DType.FLOAT32, longest, call.rank()).address();
            for (int first = 0; first < trained.length; first += longest) {
                int rows = Math.min(longest, trained.length - first);
                gather(call, trained, first, rows, gathered);
                linear.forward(gathered, rows, call.head(), call.bias(), call.lora(), z, logits, own);
                logitGradients(call, trained, first, rows, scale, logits);
                linear.backward(logits, gathered, z, rows, call.head(), call.lora(), gradients, false, own);
                scatter(gradients, trained, first, rows, width, dHidden.address());
            }
        }
    }

    private void gather(Call call, int[] trained, int first, int rows, long to) {
        int width = call.head().in();
        for (int i = 0; i < rows; i++) {
            Memory.copy(at(call.hidden(), (long) trained[first + i] * width), at(to, (long) i * width), 4L * width);
        }
    }

    private static void scatter(long from, int[] trained, int first, int rows, int width, long to) {
        for (int i = 0; i < rows; i++) {
            Memory.copy(at(from, (long) i * width), at(to, (long) trained[first + i] * width), 4L * width);
        }
    }

    /// `nll = lse - logit[label]`, then `logits = scale * (softmax - onehot(label))`.
    private void logitGradients(Call call, int[] trained, int first, int rows, float scale, long logits) {
        int vocabulary = call.head().out();
        workers.rows(rows, ROWS, (from, to, _) -> {
            for (int i = from; i < to; i++) {
                int token = trained[first + i];
                long row = at(logits, (long) i * vocabulary);
                long chosen = at(row, call.label(token));
                float logit = get(chosen);
                float largest = Rows.max(row, vocabulary);
                double sum = Rows.expSum(row, vocabulary, largest);
                set(at(call.nll(), token), (float) (StrictMath.log(sum) + largest - logit));
                Rows.scale(row, vocabulary, (float) (scale / sum));
                set(chosen, get(chosen) - scale);
            }
        });
    }

    @Override
    public void score(Tensor hidden, Linear head, Tensor labels, Tensor nll, Tensor predictions, Scope scratch) {
        String operation = "score";
        var call = Call.of(operation, hidden, head, labels, nll);
        predictions.require(operation, DType.INT32, call.tokens());
        int longest = Math.min(call.chunk(), Math.max(1, call.tokens()));
        try (var own = scratch.child("score")) {
            long logits = own.allocate("logits", DType.FLOAT32, longest, call.head().out()).address();
            long z = call.rank() == 0 ? 0 : own.allocate("z", DType.FLOAT32, longest, call.rank()).address();
            for (int first = 0; first < call.tokens(); first += longest) {
                int rows = Math.min(longest, call.tokens() - first);
                linear.forward(at(call.hidden(), (long) first * call.head().in()), rows, call.head(), call.bias(), call.lora(),
                        z, logits, own);
                scoreRows(call, first, rows, logits, predictions.address());
            }
        }
    }

    private void scoreRows(Call call, int first, int rows, long logits, long predictions) {
        int vocabulary = call.head().out();
        workers.rows(rows, ROWS, (from, to, _) -> {
            for (int i = from; i < to; i++) {
                int token = first + i;
                int label = call.label(token);
                long row = at(logits, (long) i * vocabulary);
                float largest = Rows.max(row, vocabulary);
                Memory.setInt(at(predictions, token), indexOf(largest, row, vocabulary));
                float logit = label == IGNORED ? 0f : get(at(row, label));
                set(at(call.nll(), token), label == IGNORED ? 0f
                        : (float) (StrictMath.log(Rows.expSum(row, vocabulary, largest)) + largest - logit));
            }
        });
    }

    private static int indexOf(float value, long row, int count) {
        for (int i = 0; i < count; i++) {
            if (get(at(row, i)) == value) {
                return i;
            }
        }
        return 0;
    }
}
