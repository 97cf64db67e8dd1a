package dev.sluice.model.training;

import dev.sluice.compute.Backend;
import dev.sluice.compute.Tensor;
import dev.sluice.model.decoder.HostCopy;
import dev.sluice.model.lora.LoraSite;

/// Which matrices of a site are zero.
record Matrices(boolean[] zeros) {
    /// @param arena a block in the adapter's layout: parameters or gradients
    static Matrices a(Backend backend, Tensor arena, LoraSite site) {
        return of(backend, arena.view(site.name(), site.offsetA(), site.elementsA()), site.experts());
    }

    /// As [#a].
    static Matrices b(Backend backend, Tensor arena, LoraSite site) {
        return of(backend, arena.view(site.name(), site.offsetB(), site.elementsB()), site.experts());
    }

    private static Matrices of(Backend backend, Tensor stack, int matrices) {
        float[] numbers = HostCopy.floats(backend, stack);
        boolean[] zeros = new boolean[matrices];
        int size = numbers.length / matrices;
        for (int matrix = 0; matrix < matrices; matrix++) {
            zeros[matrix] = zero(numbers, matrix * size, (matrix + 1) * size);
        }
        return new Matrices(zeros);
    }

    private static boolean zero(float[] numbers, int from, int to) {
        for (int i = from; i < to; i++) {
            if (numbers[i] != 0) {
                return false;
            }
        }
        return true;
    }

    boolean zero(int matrix) {
        return zeros[matrix];
    }

    boolean allZero() {
        for (boolean zero : zeros) {
            if (!zero) {
                return false;
            }
        }
        return true;
    }
}
