package dev.sluice.compute.contract;

import dev.sluice.compute.op.GatedActivation;
import java.util.Arrays;

/// Float64 scalars that remember how they were made. The references write only forward formulas with it; gradients
/// follow by the chain rule, node by node, so no backward formula is trusted to check another.
public final class Autograd {
    private double[] value = new double[1 << 12];
    /// Up to three parents of each node and the partial derivative towards each; -1 is no parent.
    private int[] parents = new int[3 << 12];
    private double[] partials = new double[3 << 12];
    private int size;

    /// A number with no parents.
    public int leaf(double number) {
        return node(number, -1, 0, -1, 0, -1, 0);
    }

    /// Leaves for every element.
    public int[] leaves(double[] numbers) {
        return Arrays.stream(numbers).mapToInt(this::leaf).toArray();
    }

    public double value(int node) {
        return value[node];
    }

    public double[] values(int[] nodes) {
        return Arrays.stream(nodes).mapToDouble(node -> value[node]).toArray();
    }

    public int add(int a, int b) {
        return node(value[a] + value[b], a, 1, b, 1, -1, 0);
    }

    public int sub(int a, int b) {
        return node(value[a] - value[b], a, 1, b, -1, -1, 0);
    }

    public int mul(int a, int b) {
        return node(value[a] * value[b], a, value[b], b, value[a], -1, 0);
    }

    public int scale(int a, double factor) {
        return node(value[a] * factor, a, factor, -1, 0, -1, 0);
    }

    /// `a * b + c`.
    public int fma(int a, int b, int c) {
        return node(value[a] * value[b] + value[c], a, value[b], b, value[a], c, 1);
    }

    public int div(int a, int b) {
        return node(value[a] / value[b], a, 1 / value[b], b, -value[a] / (value[b] * value[b]), -1, 0);
    }

    public int exp(int a) {
        double e = Math.exp(value[a]);
        return node(e, a, e, -1, 0, -1, 0);
    }

    public int log(int a) {
        return node(Math.log(value[a]), a, 1 / value[a], -1, 0, -1, 0);
    }

    public int sqrt(int a) {
        double root = Math.sqrt(value[a]);
        return node(root, a, 0.5 / root, -1, 0, -1, 0);
    }

    public int silu(int a) {
        int denominator = add(leaf(1), exp(scale(a, -1)));
        return div(a, denominator);
    }

    public int sigmoid(int a) {
        return div(leaf(1), add(leaf(1), exp(scale(a, -1))));
    }

    /// Within bounds as it is; beyond them the bound, without a gradient.
    public int clamp(int a, double low, double high) {
        double bounded = Math.clamp(value[a], low, high);
        return node(bounded, a, bounded == value[a] ? 1 : 0, -1, 0, -1, 0);
    }

    /// One gated activation, as its formula reads.
    public int gated(GatedActivation activation, int gate, int up) {
        return switch (activation) {
            case SWIGLU -> mul(silu(gate), up);
            case CLAMPED_SWIGLU -> {
                int g = clamp(gate, Double.NEGATIVE_INFINITY, 7);
                yield mul(mul(g, sigmoid(scale(g, 1.702))), add(clamp(up, -7, 7), leaf(1)));
            }
            case GEGLU -> {
                int cube = mul(mul(gate, gate), gate);
                int power = exp(scale(add(gate, scale(cube, 0.044715)), 2 * Math.sqrt(2 / Math.PI)));
                int tanh = div(sub(power, leaf(1)), add(power, leaf(1)));
                yield mul(mul(scale(gate, 0.5), add(leaf(1), tanh)), up);
            }
            case BILINEAR -> mul(gate, up);
        };
    }

    public int sum(int[] nodes) {
        int total = leaf(0);
        for (int node : nodes) {
            total = add(total, node);
        }
        return total;
    }

    /// `sum over i of a[aFirst + i * aStep] * b[bFirst + i * bStep]`.
    public int dot(int count, int[] a, int aFirst, int aStep, int[] b, int bFirst, int bStep) {
        int total = leaf(0);
        for (int i = 0; i < count; i++) {
            total = fma(a[aFirst + i * aStep], b[bFirst + i * bStep], total);
        }
        return total;
    }

    /// `x W^T` for x [rows, in] and W [out, in].
    public int[] linear(int[] x, int rows, int in, int[] w, int out) {
        int[] y = new int[rows * out];
        for (int r = 0; r < rows; r++) {
            for (int o = 0; o < out; o++) {
                y[r * out + o] = dot(in, x, r * in, 1, w, o * in, 1);
            }
        }
        return y;
    }

    /// `nodes -> exp(node) / sum of exp`.
    public int[] softmax(int[] nodes) {
        double largest = Arrays.stream(values(nodes)).max().orElseThrow();
        int[] e = Arrays.stream(nodes).map(node -> exp(add(node, leaf(-largest)))).toArray();
        int total = sum(e);
        return Arrays.stream(e).map(node -> div(node, total)).toArray();
    }

    /// Derivative of `sum of seeds[i] * outputs[i]` towards every node.
    public double[] backward(int[] outputs, double[] seeds) {
        double[] gradient = new double[size];
        for (int i = 0; i < outputs.length; i++) {
            gradient[outputs[i]] += seeds[i];
        }
        for (int node = size - 1; node >= 0; node--) {
            for (int slot = 3 * node; gradient[node] != 0 && slot < 3 * node + 3; slot++) {
                if (parents[slot] >= 0) {
                    gradient[parents[slot]] += gradient[node] * partials[slot];
                }
            }
        }
        return gradient;
    }

    /// Elements of a gradient that belong to `nodes`.
    public static double[] pick(double[] gradient, int[] nodes) {
        return Arrays.stream(nodes).mapToDouble(node -> gradient[node]).toArray();
    }

    private int node(double result, int a, double da, int b, double db, int c, double dc) {
        if (size == value.length) {
            value = Arrays.copyOf(value, 2 * size);
            parents = Arrays.copyOf(parents, 6 * size);
            partials = Arrays.copyOf(partials, 6 * size);
        }
        value[size] = result;
        int slot = 3 * size;
        parents[slot] = a;
        partials[slot] = da;
        parents[slot + 1] = b;
        partials[slot + 1] = db;
        parents[slot + 2] = c;
        partials[slot + 2] = dc;
        return size++;
    }
}
