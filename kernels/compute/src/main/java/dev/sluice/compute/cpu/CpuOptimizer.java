package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.set;

import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.OptimizerOps;
import dev.sluice.compute.op.OptimizerState;
import dev.sluice.compute.op.ParameterArena;

/// AdamW in torch's order of operations, so that the same gradients give the same parameters.
final class CpuOptimizer implements OptimizerOps {
    /// Parameters per task, and per partial sum of the norm: whole blocks of lean moments.
    private static final int BLOCK = 1 << 14;

    private final Workers workers;

    CpuOptimizer(Workers workers) {
        this.workers = workers;
    }

    @Override
    public ParameterArena arena(Scope run, long size, OptimizerState state) {
        return FlatArena.allocate(run, size, state);
    }

    @Override
    public void update(ParameterArena arena, AdamW settings, Tensor norm) {
        String operation = "adamw update";
        norm.require(operation, DType.FLOAT32, 1);
        if (!(arena instanceof FlatArena flat)) {
            throw new IllegalArgumentException(operation + ": the arena should be this backend's own, was " + arena);
        }
        double total = norm(flat);
        set(norm.address(), (float) total);
        if (Double.isFinite(total)) {
            move(flat, AdamRule.of(settings, total), settings.step());
        }
        long gradients = flat.gradients().address();
        blocks(flat.size(), (first, count, _) -> Memory.zero(at(gradients, first), 4L * count));
    }

    private void move(FlatArena arena, AdamRule rule, long step) {
        switch (arena.moments()) {
            case Moments.Exact exact -> blocks(arena.size(), (first, count, _) -> rule.apply(arena, exact, first, count));
            case Moments.Lean lean -> blocks(arena.size(), (first, count, _) -> {
                var block = new LeanBlock(arena, lean, rule, step);
                for (int i = 0; i < count; i += OptimizerState.BLOCK) {
                    block.update(first + i, Math.min(OptimizerState.BLOCK, count - i));
                }
            });
        }
    }

    private double norm(FlatArena arena) {
        double[] sums = new double[Math.toIntExact(Math.ceilDiv(arena.size(), BLOCK))];
        long gradients = arena.gradients().address();
        blocks(arena.size(), (first, count, block) -> sums[block] = Rows.sumOfSquares(at(gradients, first), count));
        double total = 0;
        for (double sum : sums) {
            total += sum;
        }
        return Math.sqrt(total);
    }

    /// A stretch of parameters and its number.
    private interface Block {
        void run(long first, int count, int block);
    }

    private void blocks(long size, Block body) {
        workers.run(Math.toIntExact(Math.ceilDiv(size, BLOCK)), (task, _) -> {
            long first = (long) task * BLOCK;
            body.run(first, (int) Math.min(BLOCK, size - first), task);
        });
    }
}
