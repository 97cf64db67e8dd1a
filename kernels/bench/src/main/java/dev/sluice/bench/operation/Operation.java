package dev.sluice.bench.operation;

import dev.sluice.bench.floor.Work;
import dev.sluice.compute.Scope;
import dev.sluice.compute.probe.RandomTensors;

/// One operation at one size.
///
/// @param work operations of the frozen products and of attention, LoRA's own left out as rates are usually given; every distinct
///     input read once and every output written once
/// @param setup makes its tensors
record Operation(Work work, Setup setup) {
    /// Makes one set of tensors and the call that works on them.
    interface Setup {
        Call copy(RandomTensors tensors, Scope scratch);
    }

    /// What is timed.
    interface Call {
        void run();

        /// What has to run, untimed, before each call that destroys its inputs; null where calls may simply be repeated.
        default Runnable restore() {
            return null;
        }
    }

    Operation(String name, double flops, double bytes, Setup setup) {
        this(new Work(name, flops, bytes), setup);
    }
}
