package dev.sluice.model.peft;

import dev.sluice.model.BaseModel;
import dev.sluice.model.InvalidFileException;
import dev.sluice.model.checkpoint.Floats;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.TensorNames;
import dev.sluice.model.json.JsonFields;
import dev.sluice.model.lora.AdaptableModule;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.lora.AdapterLayout;
import dev.sluice.model.lora.LoraSettings;
import dev.sluice.model.safetensors.ElementType;
import dev.sluice.model.safetensors.SafetensorsFile;
import dev.sluice.model.safetensors.TensorEntry;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// Reads PEFT adapter folders in either layout; which one it is shows in the tensors' names.
public final class AdapterReader {
    static final String CONFIG = "adapter_config.json";
    static final String TENSORS = "adapter_model.safetensors";
    private static final Set<ElementType> FLOATS = EnumSet.of(ElementType.F32, ElementType.BF16, ElementType.F16);
    private static final int SHOWN = 6;

    private AdapterReader() {}

    /// The adapter of a model, in either layout, from `adapter_config.json` and `adapter_model.safetensors`.
    ///
    /// @throws InvalidFileException naming tensors that are missing, unexpected or misshapen
    /// @throws dev.sluice.model.UnsupportedModelException naming what is not implemented, or a copy of a frozen tensor that is another one
    public static Adapter read(BaseModel model, Path folder) {
        return read(model.folder(), model.config(), model.names(), folder);
    }

    /// The same for a model that is not loaded.
    ///
    /// @param base its checkpoint folder
    public static Adapter read(Path base, DecoderConfig config, TensorNames names, Path folder) {
        BaseCopies.requireUnchanged(base, config, names, folder);
        return read(config, names, folder);
    }

    /// The same without a look at copies of frozen tensors.
    static Adapter read(DecoderConfig config, TensorNames names, Path folder) {
        List<AdaptableModule> modules = AdaptableModule.all(config, names);
        JsonFields fields = JsonFields.read(folder.resolve(CONFIG));
        try (var arena = Arena.ofConfined()) {
            StoredSettings stored = new AdapterConfigReader(fields, modules).read();
            var file = SafetensorsFile.open(folder.resolve(TENSORS), arena);
            if (PerExpertSettings.applies(file, names, modules)) {
                var translated = PerExpertSettings.translate(file, names, modules, stored);
                AdapterLayout layout = AdapterLayout.of(config, names, translated.settings());
                var tensors = new PerExpertNames(names).tensors(layout, translated.separate());
                return new Adapter(config, names, translated.settings(), layout, values(file, names, layout, tensors));
            }
            LoraSettings settings = stored.settings();
            AdapterLayout layout = AdapterLayout.of(config, names, settings);
            return new Adapter(config, names, settings, layout, values(file, names, layout, Peft3dNames.tensors(layout)));
        } catch (IllegalArgumentException e) {
            throw new InvalidFileException(fields.file(), e.getMessage(), e);
        }
    }

    private static MemorySegment values(SafetensorsFile file, TensorNames names, AdapterLayout layout,
            List<FileTensor> tensors) {
        requireExactly(file, names, tensors);
        MemorySegment values = Arena.ofAuto().allocate(layout.size() * Float.BYTES, Long.BYTES);
        for (FileTensor tensor : tensors) {
            TensorEntry entry = file.tensors().get(tensor.name());
            float[] row = new float[tensor.columns()];
            for (int r = 0; r < tensor.rows(); r++) {
                Floats.decode(entry.type(), file.data(entry), (long) r * row.length, row);
                for (int c = 0; c < row.length; c++) {
                    values.setAtIndex(ValueLayout.JAVA_FLOAT, tensor.index(r, c), row[c]);
                }
            }
        }
        return values;
    }

    private static void requireExactly(SafetensorsFile file, TensorNames names, List<FileTensor> tensors) {
        var faults = new ArrayList<String>();
        var unexpected = new HashSet<>(file.tensors().keySet());
        unexpected.removeAll(BaseCopies.names(names).keySet());
        for (FileTensor tensor : tensors) {
            TensorEntry entry = file.tensors().get(tensor.name());
            unexpected.remove(tensor.name());
            if (entry == null) {
                faults.add("tensor " + tensor.name() + " " + Arrays.toString(tensor.shape()) + " is missing");
            } else if (!FLOATS.contains(entry.type()) || !Arrays.equals(entry.shape(), tensor.shape())) {
                faults.add("tensor " + entry + " should be " + FLOATS + " " + Arrays.toString(tensor.shape()));
            }
        }
        unexpected.stream().sorted().forEach(name -> faults.add("tensor " + name + " is unexpected"));
        if (!faults.isEmpty()) {
            throw new InvalidFileException(file.path(), "does not fit " + CONFIG + " and the model: "
                    + String.join("; ", faults.subList(0, Math.min(SHOWN, faults.size())))
                    + (faults.size() > SHOWN ? " and " + (faults.size() - SHOWN) + " more" : ""));
        }
    }
}
