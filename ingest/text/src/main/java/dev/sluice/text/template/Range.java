package dev.sluice.text.template;

import java.util.ArrayList;
import java.util.List;

/// Python's range. The sandbox allows 100,000 elements at most.
record Range(long start, long stop, long step) {

    private static final long MAX = 100_000;

    Range {
        if (step == 0) {
            throw EvaluationError.refused("range() arg 3 must not be zero");
        }
        if (length(start, stop, step) > MAX) {
            throw EvaluationError.refused("Range too big. The sandbox blocks ranges larger than MAX_RANGE (" + MAX + ").");
        }
    }

    int length() {
        return (int) length(start, stop, step);
    }

    private static long length(long start, long stop, long step) {
        double span = step > 0 ? (double) stop - start : (double) start - stop;
        return span <= 0 ? 0 : (long) Math.min(Math.ceil(span / Math.abs((double) step)), Long.MAX_VALUE);
    }

    List<Object> items() {
        var items = new ArrayList<Object>(length());
        for (int i = 0; i < length(); i++) {
            items.add(start + i * step);
        }
        return items;
    }
}
