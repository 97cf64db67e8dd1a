package dev.sluice.model.lora;

import dev.sluice.model.BaseModel;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.TensorNames;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// A LoRA adapter on the host: its settings, the matrices it updates and their exact float32 numbers. It belongs to no
/// backend and does not change; training makes new ones.
public final class Adapter {
    private final DecoderConfig config;
    private final TensorNames names;
    private final LoraSettings settings;
    private final AdapterLayout layout;
    private final MemorySegment values;

    /// @param config the decoder that it updates
    /// @param names what that decoder's modules are called
    /// @param values float32 numbers in the layout's order, `layout.size() * 4` bytes; not copied
    public Adapter(DecoderConfig config, TensorNames names, LoraSettings settings, AdapterLayout layout, MemorySegment values) {
        if (values.byteSize() != layout.size() * Float.BYTES) {
            throw new IllegalArgumentException("adapter: " + layout.size() + " numbers need " + layout.size() * Float.BYTES
                    + " bytes, the memory has " + values.byteSize());
        }
        this.config = config;
        this.names = names;
        this.settings = settings;
        this.layout = layout;
        this.values = values.asReadOnly();
    }

    /// A fresh adapter as PEFT initialises it: A uniform, B zero. The same seed gives the same numbers.
    ///
    /// @throws IllegalArgumentException if a target names nothing in the model
    public static Adapter create(BaseModel model, LoraSettings settings, long seed) {
        List<AdaptableModule> modules = AdaptableModule.all(model.config(), model.names());
        LoraSettings expanded = new ExpertTargets(modules, model.names()).expand(settings);
        List<String> unmatched = new Targets(expanded).unmatched(modules);
        if (!unmatched.isEmpty()) {
            throw new IllegalArgumentException("lora: targets " + unmatched + " match nothing in " + model.folder() + "; it has "
                    + AdaptableModule.shortNames(model.config(), model.names())
                    + "; stacked experts are target_parameters, everything else target_modules");
        }
        AdapterLayout layout = AdapterLayout.of(model.config(), model.names(), expanded);
        return new Adapter(model.config(), model.names(), expanded, layout, LoraInitialisation.fresh(layout, seed));
    }

    /// An adapter of the same matrices with other numbers.
    public Adapter withValues(MemorySegment newValues) {
        return new Adapter(config, names, settings, layout, newValues);
    }

    /// The decoder that it updates.
    public DecoderConfig config() {
        return config;
    }

    /// What that decoder's modules are called.
    public TensorNames names() {
        return names;
    }

    public LoraSettings settings() {
        return settings;
    }

    public AdapterLayout layout() {
        return layout;
    }

    /// All numbers, read-only, gaps of the layout included (they are zero).
    public MemorySegment values() {
        return values;
    }
}
