package dev.sluice.bench.step;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sluice.bench.Report;
import dev.sluice.bench.floor.Ceiling;
import dev.sluice.bench.floor.ModelShape;
import dev.sluice.bench.floor.StepFloor;
import dev.sluice.compute.DType;
import dev.sluice.model.config.DecoderConfig;
import java.util.Locale;

/// How a measured step is shown. JSON has the field names that other step benchmarks of this kind use: `ctx`, `ms`, `tok_s`, `peak_gib`.
///
/// @param weights `random` or `checkpoint`
/// @param type of weights and activations
record StepResult(String model, String weights, int layers, DType type, StepOptions options, ModelShape shape,
        Ceiling ceiling) {
    static final String HEAD = "context  median ms     min ms     max ms  tokens/s  CPU ms  peak GiB  device GiB  host GiB  floor ms  floor/ms"
            + "  replayed  launches  first loss    loss  planned GiB  optimiser  activations";
    private static final String ROW = "%7d %10.2f %10.2f %10.2f %9.0f %7.0f %9.3f %11s %9.2f %9.2f %8.1f%% %9d %9d %11.5f %7.5f %12.3f  %-9s  %s";

    static String model(ModelFolder folder, DecoderConfig config, String weights) {
        return "model: " + folder.name() + ", " + config.modelType() + ", " + config.layers() + " layers, weights " + weights;
    }

    String row(Measured one) {
        double floor = floor(one);
        return String.format(Locale.ROOT, ROW, one.context(), one.time().median(), one.time().min(), one.time().max(), tokensPerSecond(one),
                one.processorMillis(), one.peakBytes() / 0x1p30, device(one), one.hostBytes() / 0x1p30, floor, 100 * floor / one.time().median(),
                one.replayed(), one.launches(), one.firstLoss(), one.loss(), one.choice().totalBytes() / 0x1p30,
                state(one), one.choice().policy().describe());
    }

    ObjectNode json(Measured one) {
        double floor = floor(one);
        ObjectNode json = base(one.context());
        json.put("ms", Report.rounded(one.time().median())).put("min_ms", Report.rounded(one.time().min()));
        json.put("max_ms", Report.rounded(one.time().max())).put("tok_s", Math.round(tokensPerSecond(one)));
        json.put("cpu_ms", Report.rounded(one.processorMillis())).put("peak_gib", Report.rounded(one.peakBytes() / 0x1p30));
        json.put("device_gib", one.deviceBytes() == 0 ? null : Report.rounded(one.deviceBytes() / 0x1p30));
        json.put("host_gib", Report.rounded(one.hostBytes() / 0x1p30)).put("pinned_gib", Report.rounded(one.pinnedBytes() / 0x1p30));
        json.put("planned_gib", Report.rounded(one.choice().totalBytes() / 0x1p30)).put("policy", options.policy);
        json.put("budget_gib", options.budget).put("activations", one.choice().policy().describe());
        json.put("optimizer_state", state(one)).put("adapter_parameters", one.choice().plan().adapterParameters());
        json.put("adapter_bytes", one.choice().plan().adapterBytes());
        json.put("floor_ms", Report.rounded(floor));
        json.put("floor_share", Report.rounded(floor / one.time().median()));
        json.put("replayed", one.replayed()).put("launches", one.launches());
        return json.put("first_loss", Report.rounded(one.firstLoss())).put("loss", Report.rounded(one.loss()));
    }

    private static String state(Measured one) {
        return one.choice().plan().optimizerState().name().toLowerCase(Locale.ROOT);
    }

    private static String device(Measured one) {
        return one.deviceBytes() == 0 ? "-" : String.format(Locale.ROOT, "%.2f", one.deviceBytes() / 0x1p30);
    }

    ObjectNode refused(int context, String reason) {
        return base(context).put("refused", reason);
    }

    private ObjectNode base(int context) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("model", model).put("weights", weights).put("layers", layers).put("rank", options.rank);
        json.put("targets", options.targets.name().toLowerCase(Locale.ROOT));
        json.put("ctx", context).put("documents", options.documents).put("steps", options.steps).put("warmup", options.warmup);
        Report.put(json, ceiling);
        return json;
    }

    private static double tokensPerSecond(Measured one) {
        return one.context() / one.time().median() * 1e3;
    }

    /// Milliseconds.
    private double floor(Measured one) {
        return StepFloor.seconds(StepFloor.of(shape, one.context(), options.documents, options.targets, options.rank, type, one.choice().plan().optimizerState()),
                ceiling) * 1e3;
    }
}
