package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;

import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import java.util.ArrayList;
import java.util.List;

/// Where tasks sum adapter gradients. An expert's first run of rows adds to the gradients themselves; each further run
/// of a busy expert has a block of its own, added afterwards in the order of the runs.
///
/// @param base address of [further runs, size]
/// @param size floats of one block: gradA and gradB of gate_up, then of down
/// @param blockOf block of each task, -1 for first runs
record PartialGradients(ExpertCall call, ExpertRows[] runs, long base, int size, int[] blockOf) {
    static PartialGradients allocate(Scope scratch, ExpertCall call, ExpertRows[] runs) {
        int[] blockOf = new int[runs.length];
        int blocks = 0;
        for (int task = 0; task < runs.length; task++) {
            blockOf[task] = runs[task].index() == 0 ? -1 : blocks++;
        }
        int size = size(call.gateUpLora()) + size(call.downLora());
        var memory = scratch.allocate("partialGradients", DType.FLOAT32, blocks, size);
        return new PartialGradients(call, runs, memory.address(), size, blockOf);
    }

    private static int size(Adapter lora) {
        return lora == null ? 0 : lora.rank() * (lora.in() + lora.out());
    }

    /// The gate_up adapter of the run's expert, its gradients where this task sums them, zeroed if they are its own.
    Adapter gateUp(ExpertRows run, int task) {
        return place(call.gateUpLora().expert(run.expert()), task, 0);
    }

    /// As [#gateUp], for the down adapter.
    Adapter down(ExpertRows run, int task) {
        return place(call.downLora().expert(run.expert()), task, size(call.gateUpLora()));
    }

    private Adapter place(Adapter lora, int task, int skip) {
        if (blockOf[task] < 0) {
            return lora;
        }
        long gradA = block(task, skip);
        Memory.zero(gradA, 4L * size(lora));
        return new Adapter(lora.a(), lora.b(), gradA, at(gradA, (long) lora.rank() * lora.in()), lora.rank(), lora.out(),
                lora.in(), lora.scale());
    }

    private long block(int task, int skip) {
        return at(base, (long) blockOf[task] * size + skip);
    }

    /// Adds the further runs' sums to their experts' gradients.
    void addUp(Workers workers) {
        var further = furtherByExpert();
        workers.run(further.size(), (index, _) -> {
            for (int task : further.get(index)) {
                int expert = runs[task].expert();
                addUp(call.gateUpLora(), expert, block(task, 0));
                addUp(call.downLora(), expert, block(task, size(call.gateUpLora())));
            }
        });
    }

    private static void addUp(Adapter stack, int expert, long block) {
        if (stack != null) {
            Adapter lora = stack.expert(expert);
            int sizeOfA = lora.rank() * lora.in();
            int sizeOfB = lora.rank() * lora.out();
            Rows.add(lora.gradA(), block, sizeOfA, lora.gradA());
            Rows.add(lora.gradB(), at(block, sizeOfA), sizeOfB, lora.gradB());
        }
    }

    private List<List<Integer>> furtherByExpert() {
        var lists = new ArrayList<List<Integer>>();
        for (int task = 0; task < runs.length; task++) {
            if (runs[task].index() == 1) {
                lists.add(new ArrayList<>());
            }
            if (runs[task].index() > 0) {
                lists.getLast().add(task);
            }
        }
        return lists;
    }
}
