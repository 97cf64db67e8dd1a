package dev.sluice.model.checkpoint;

import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.DecoderModule;
import dev.sluice.model.config.FeedForwardConfig.SparseConfig;
import dev.sluice.model.config.FeedForwardConfig.StackOrder;
import dev.sluice.model.config.TensorNames;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.lora.LoraSite;
import dev.sluice.model.safetensors.Checkpoint;
import dev.sluice.model.safetensors.Checkpoint.Stored;
import dev.sluice.model.safetensors.ElementType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/// Lists the tensors of a merged checkpoint under the names that the family is released with: weights with the adapter's
/// update, packed ones widened to bfloat16, everything else as it is.
final class MergingSource extends StoredSource {
    private static final List<String> SCALES = Stream.concat(Stream.of(BlockScales.name("")), StoredNf4.SUFFIXES.stream()).toList();

    private final DType storedAs;
    private final Map<String, LoraUpdate> updates = new HashMap<>();
    private final Map<String, Split> splits = new HashMap<>();
    private final Set<String> read = new HashSet<>();
    private final List<MergedTensor> tensors = new ArrayList<>();

    /// The experts' own names for a stack that transformers saved as a whole.
    private record Split(int layer, List<String> modules) {}

    /// @param storedAs type of all weights, or null for the base's own
    private MergingSource(Checkpoint checkpoint, DType storedAs) {
        super(checkpoint);
        this.storedAs = storedAs;
    }

    static List<MergedTensor> tensors(Checkpoint base, Adapter adapter, DType storedAs) {
        DecoderConfig config = adapter.config();
        TensorNames names = adapter.names();
        var source = new MergingSource(base, storedAs);
        for (LoraSite site : adapter.layout().sites()) {
            source.updates.put(stored(site, names), LoraUpdate.of(adapter, site));
        }
        for (int layer = 0; layer < config.layers(); layer++) {
            if (config.feedForward(layer) instanceof SparseConfig sparse && sparse.stack().order() == StackOrder.GATE_THEN_UP) {
                source.split(layer, names);
            }
        }
        WeightTree.build(config, names, source);
        source.takeOver();
        return source.tensors;
    }

    private static String stored(LoraSite site, TensorNames names) {
        return switch (site.kind()) {
            case EXPERTS_GATE_UP -> names.inLayer(site.layer(), DecoderModule.STORED_GATE_UP);
            case EXPERTS_DOWN -> names.inLayer(site.layer(), DecoderModule.STORED_DOWN);
            case QUERY, KEY, VALUE, OUTPUT, QUERY_DOWN, QUERY_UP, KEY_VALUE_DOWN, KEY_VALUE_UP, CONVOLUTION_INPUT, CONVOLUTION_OUTPUT,
                    GATE, UP, DOWN, SHARED_GATE, SHARED_UP, SHARED_DOWN, HEAD -> site.name() + ".weight";
        };
    }

    /// A family whose stored stacks are named as transformers names them is released with single experts.
    private void split(int layer, TensorNames names) {
        String gateUp = names.inLayer(layer, DecoderModule.STORED_GATE_UP);
        if (gateUp.equals(names.inLayer(layer, DecoderModule.FUSED_GATE_UP))) {
            splits.put(gateUp, new Split(layer, List.of(names.inLayer(layer, names.expertGate()), names.inLayer(layer, names.expertUp()))));
            splits.put(names.inLayer(layer, DecoderModule.STORED_DOWN), new Split(layer, List.of(names.inLayer(layer, names.expertDown()))));
        }
    }

    @Override
    public Tensor load(Wanted wanted) {
        for (Part part : wanted.parts()) {
            boolean fresh = read.add(part.name());
            if (fresh && StoredNf4.is(checkpoint(), part.name())) {
                addNames(part.name());
                add(part, new Rows(StoredRows.of(checkpoint(), part), null, 0));
            } else if (fresh) {
                Stored stored = checkpoint().find(part.name());
                tensors.add(MergedTensor.copy(part.name(), stored.entry().type(), stored.entry().shape(), stored.data()));
            }
        }
        return null;
    }

    private void addNames(String name) {
        read.addAll(List.of(name, BlockScales.name(name), PackedRows.blocksName(name), PackedRows.scalesName(name)));
        StoredNf4.SUFFIXES.forEach(suffix -> read.add(name + suffix));
    }

    @Override
    public Weight head(Wanted wanted) {
        return weight(wanted);
    }

    @Override
    public Weight weight(Wanted wanted) {
        LoraUpdate update = updates.get(wanted.name());
        long first = 0;
        for (Part part : wanted.parts()) {
            addNames(part.name());
            add(part, new Rows(StoredRows.of(checkpoint(), part), update, first));
            first += Tensor.elements(part.name(), part.shape()) / wanted.columns();
        }
        return new Weight.Dense(null);
    }

    /// A part's rows in the decoder's order, with the update.
    ///
    /// @param first the part's first row among all rows of the weight
    private record Rows(StoredRows stored, LoraUpdate update, long first) {
        float[] read(long row, int columns) {
            float[] numbers = new float[columns];
            stored.read(row, numbers);
            if (update != null) {
                update.add(first + row, numbers);
            }
            return numbers;
        }
    }

    private void add(Part part, Rows rows) {
        Split split = part.arrangement() == Arrangement.PLAIN ? splits.get(part.name()) : null;
        Stored stored = checkpoint().find(part.name());
        if (split == null && rows.update() == null && stored != null && stored.entry().type() == type(part)) {
            tensors.add(MergedTensor.copy(part.name(), type(part), stored.entry().shape(), stored.data()));
            return;
        }
        if (split == null) {
            long[] shape = part.arrangement() == Arrangement.PLAIN ? part.shape() : part.storedShape();
            tensors.add(new MergedTensor(part.name(), type(part), shape, target -> fill(part, rows, target)));
            return;
        }
        int columns = (int) part.shape()[2];
        long height = part.shape()[1] / split.modules().size();
        for (int expert = 0; expert < part.shape()[0]; expert++) {
            for (int module = 0; module < split.modules().size(); module++) {
                long begin = expert * part.shape()[1] + module * height;
                tensors.add(new MergedTensor(split.modules().get(module).formatted(expert) + ".weight", type(part),
                        new long[] {height, columns}, target -> fillPlain(rows, begin, height, columns, type(part), target)));
            }
        }
    }

    private ElementType type(Part part) {
        if (storedAs != null) {
            return Floats.stored(storedAs);
        }
        Stored stored = checkpoint().find(part.name());
        return stored == null || stored.entry().type() == ElementType.F8_E4M3 || StoredNf4.is(checkpoint(), part.name())
                ? ElementType.BF16 : stored.entry().type();
    }

    private void fill(Part part, Rows rows, MemorySegment target) {
        int columns = Math.toIntExact(part.shape()[part.shape().length - 1]);
        long count = Tensor.elements(part.name(), part.shape()) / columns;
        if (part.arrangement().transposed()) {
            fillTransposed(part, rows, columns, target);
        } else {
            fillPlain(rows, 0, count, columns, type(part), target);
        }
    }

    private static void fillPlain(Rows rows, long first, long count, int columns, ElementType type, MemorySegment target) {
        LongStream.range(0, count).parallel().forEach(row ->
                Floats.encode(Floats.computed(type), rows.read(first + row, columns), target, row * columns));
    }

    private void fillTransposed(Part part, Rows rows, int columns, MemorySegment target) {
        boolean alternating = part.arrangement() == Arrangement.TRANSPOSED_ALTERNATING;
        int height = Math.toIntExact(part.shape()[1]);
        for (long expert = 0; expert < part.shape()[0]; expert++) {
            float[][] matrix = new float[height][];
            long begin = expert * height;
            LongStream.range(0, height).parallel().forEach(row ->
                    matrix[(int) (alternating ? StoredRows.alternating(row, height) : row)] = rows.read(begin + row, columns));
            LongStream.range(0, columns).parallel().forEach(column -> {
                float[] numbers = new float[height];
                for (int row = 0; row < height; row++) {
                    numbers[row] = matrix[row][(int) column];
                }
                Floats.encode(Floats.computed(type(part)), numbers, target, (begin / height * columns + column) * height);
            });
        }
    }

    /// What the decoder does not read stays, widened where it is packed: the merged checkpoint says nothing of packing.
    private void takeOver() {
        Checkpoint base = checkpoint();
        base.names().stream().filter(name -> !read.contains(name) && !isScale(name)).sorted().forEach(name -> {
            Stored stored = base.find(name);
            boolean scaled = stored.entry().type() == ElementType.F8_E4M3 && base.find(BlockScales.name(name)) != null;
            if (scaled || StoredNf4.is(base, name)) {
                var part = new Part(name, scaled ? stored.entry().shape() : StoredNf4.shape(StoredNf4.state(base, name)));
                add(part, new Rows(StoredRows.of(base, part), null, 0));
            } else {
                tensors.add(MergedTensor.copy(name, stored.entry().type(), stored.entry().shape(), stored.data()));
            }
        });
    }

    private boolean isScale(String name) {
        return SCALES.stream().anyMatch(suffix -> name.endsWith(suffix)
                && checkpoint().find(name.substring(0, name.length() - suffix.length())) != null);
    }
}
