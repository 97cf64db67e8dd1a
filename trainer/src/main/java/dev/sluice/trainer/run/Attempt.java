package dev.sluice.trainer.run;

import dev.sluice.compute.OutOfMemoryException;
import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.job.JobCode;
import dev.sluice.contracts.job.JobPhase;
import dev.sluice.contracts.job.JobSpec;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.job.Stage;
import dev.sluice.contracts.store.Manifest;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.model.TokenRow;
import dev.sluice.model.decoder.OptimizerChoice;
import dev.sluice.model.peft.AdapterExport;
import dev.sluice.model.peft.AdapterFormat;
import dev.sluice.model.peft.PeftLoading;
import dev.sluice.model.training.LoraTraining;
import dev.sluice.model.training.StepReport;
import dev.sluice.trainer.checkpoint.CheckpointMeta;
import dev.sluice.trainer.checkpoint.Checkpoints;
import dev.sluice.trainer.checkpoint.CheckpointTimer;
import dev.sluice.trainer.control.Wishes;
import dev.sluice.trainer.fate.Fate;
import dev.sluice.trainer.fate.JobException;
import dev.sluice.trainer.ownership.JobLease;
import dev.sluice.trainer.ownership.Transitions;
import dev.sluice.trainer.progress.ProgressReport;
import dev.sluice.trainer.publish.Publisher;
import dev.sluice.trainer.publish.RunReport;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jboss.logging.Logger;

/// One attempt at one job, on the device thread: load, restore, train, publish. Between two steps it looks at what is
/// asked of it and whether it still owns the job.
final class Attempt {

    private static final Logger LOG = Logger.getLogger(Attempt.class);

    private final Workshop shop;
    private final JobLease lease;
    private final Wishes wishes;
    private final JobSpec spec;
    private final Path scratch;
    private final Checkpoints checkpoints;
    private final CheckpointDuty duty;
    private final ProgressReport progress;
    private final long beganNanos = System.nanoTime();
    private final List<StepRecord> steps = new ArrayList<>();
    private StepLog before = StepLog.EMPTY;

    /// @param scratch an empty folder of this attempt's own
    Attempt(Workshop shop, JobLease lease, Wishes wishes, Path scratch) {
        this.shop = shop;
        this.lease = lease;
        this.wishes = wishes;
        this.spec = lease.state().spec();
        this.scratch = scratch;
        this.checkpoints = new Checkpoints(shop.store(), scratch);
        this.duty = new CheckpointDuty(checkpoints, lease, shop.jobs());
        this.progress = new ProgressReport(spec.jobId(), lease.state().token(), shop.progress());
    }

    /// @throws RuntimeException what [dev.sluice.trainer.fate.Fates] knows to judge
    Fate run() throws IOException, InterruptedException {
        progress.stage(Stage.LOADING);
        var begun = checkpoints.optimizerState(lease.state().checkpoints());
        Inputs inputs = Inputs.load(shop, lease.state(), begun.map(OptimizerChoice::of).orElse(shop.optimizer()));
        int total = inputs.rows().totalSteps();
        AdapterFormat format = format(inputs);
        try (var training = begin(inputs, total)) {
            resume(training);
            training.proveFirstSteps();
            if (shop.graphs()) {
                training.replaySteps();
            }
            Fate interrupted = train(training, inputs, total);
            return interrupted != null ? interrupted : publish(training, inputs, format);
        }
    }

    /// Tells before the first step what of the adapter peft will not load.
    private AdapterFormat format(Inputs inputs) {
        var peft = new PeftLoading(inputs.model().family(), inputs.start());
        AdapterFormat format = Settings.format(spec.adapterFormat(), peft);
        List<String> losses = peft.losses(format);
        if (!losses.isEmpty()) {
            String warning = "adapter format " + format.label() + ": " + String.join("; ", losses);
            LOG.warnf("job %s: %s", spec.jobId(), warning);
            lease.write((job, now) -> Transitions.explained(job, warning, now));
        }
        return format;
    }

    private LoraTraining begin(Inputs inputs, int total) {
        try {
            return new LoraTraining(inputs.model(), inputs.start(), Settings.training(spec.training(), total,
                    inputs.memory().plan().optimizerState()),
                    inputs.memory().policy());
        } catch (OutOfMemoryException e) {
            throw JobException.reject(JobCode.VRAM_ESTIMATE, e); // before the first step: the plan does not fit
        }
    }

    /// Removes the job's checkpoints once it has ended for good.
    void clear() {
        duty.clear();
    }

    private void resume(LoraTraining training) throws IOException {
        List<String> refused = new ArrayList<>();
        var restored = checkpoints.restore(training, lease.state().checkpoints(), refused);
        restored.ifPresent(meta -> {
            before = meta.log();
            duty.resumedAt(meta.step());
            LOG.infof("job %s resumes at step %d", spec.jobId(), meta.step());
        });
        if (!refused.isEmpty()) {
            String reason = String.join("; ", refused) + "; resumed from "
                    + restored.map(meta -> "step " + meta.step()).orElse("the beginning");
            lease.write((job, now) -> Transitions.explained(job, reason, now));
        }
    }

    /// Trains to the end, or returns why it stopped before.
    private Fate train(LoraTraining training, Inputs inputs, int total) {
        var timer = new CheckpointTimer(spec.checkpoint().everySteps(), shop.checkpointInterval(), System::nanoTime);
        lease.reached((int) training.completedSteps(), total);
        while (training.completedSteps() < total) {
            Fate interruption = interruption(training, inputs);
            if (interruption != null) {
                return interruption;
            }
            int step = step(training, inputs, total);
            if (wishes.takeCheckpoint() || (step < total && timer.isDue(step))) {
                checkpoint(training, inputs);
                timer.saved();
            }
        }
        return wishes.wantsCancel() ? new Fate.Cancelled("cancelled on request after the last step") : null;
    }

    private Fate interruption(LoraTraining training, Inputs inputs) {
        lease.check();
        if (wishes.wantsCancel()) {
            return new Fate.Cancelled("cancelled on request after step " + training.completedSteps());
        }
        checkDeadline(training);
        if (wishes.preemption() != null) {
            checkpoint(training, inputs);
            return new Fate.Preempted(wishes.preemption());
        }
        return null;
    }

    private void checkDeadline(LoraTraining training) {
        Long limit = spec.limits().maxSeconds();
        if (limit != null && before.seconds() + elapsedSeconds() > limit) {
            throw JobException.reject(JobCode.DEADLINE, "the job stopped after step " + training.completedSteps() + " at its limit of "
                    + limit + " s over all attempts; raise max_seconds or lower max_steps");
        }
    }

    private int step(LoraTraining training, Inputs inputs, int total) {
        StepReport report = training.step(inputs.rows().microBatches((int) training.completedSteps()));
        int step = (int) report.step();
        shop.pulse().beat();
        shop.metrics().step(report);
        steps.add(StepRecord.of(report));
        lease.reached(step, total);
        progress.step(lease.state().token(), report, total, inputs.rows().plan().epoch(step), training.peakStepBytes());
        return step;
    }

    private void checkpoint(LoraTraining training, Inputs inputs) {
        progress.stage(Stage.CHECKPOINTING);
        duty.save(training, new CheckpointMeta(spec.jobId(), lease.state().token(), (int) training.completedSteps(), log(),
                inputs.backend().decision()));
    }

    private Fate publish(LoraTraining training, Inputs inputs, AdapterFormat format) throws IOException {
        progress.stage(Stage.PUBLISHING);
        var publishing = lease.write((job, now) -> Transitions.publishing(job, lease.length(), now));
        JobState running = lease.state();
        StepLog log = log();
        var report = new RunReport(spec.jobId(), running.attempt(), running.token(), inputs.modelRef(), running.preparedId(), spec,
                inputs.backend().decision(), Map.of("sluice", shop.version(), "java", Runtime.version().toString()), log.seconds(), log.steps());
        var export = new AdapterExport(format, Settings.stored(spec.training().precision()),
                inputs.model().folder().toString());
        List<TokenRow> rows = spec.exportRows() ? inputs.rows().firstEpoch() : null;
        Manifest files = new Publisher(shop.store(), scratch.resolve("adapter")).store(training.adapter(), export, report, rows);
        return announce(Publisher.announcement(files, Settings.announced(format), report, publishing.join()));
    }

    /// The adapter's message and SUCCEEDED: both or neither.
    private Fate announce(AdapterPublished adapter) {
        String id = adapter.adapterId();
        var message = shop.events().message(Topic.ADAPTERS, id, adapter);
        JobState end = lease.write((job, now) -> Transitions.succeeded(job, id, now), List.of(message)).join();
        if (end.phase() != JobPhase.SUCCEEDED) {
            throw new IllegalStateException("job " + spec.jobId() + " should be SUCCEEDED, is " + end.phase());
        }
        return new Fate.Published(id);
    }

    /// The steps of all attempts so far, with the time they took.
    private StepLog log() {
        return before.with(steps, elapsedSeconds());
    }

    private double elapsedSeconds() {
        return (System.nanoTime() - beganNanos) / (double) TimeUnit.SECONDS.toNanos(1);
    }
}
