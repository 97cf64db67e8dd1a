package dev.sluice.model.checkpoint;

import dev.sluice.compute.Tensor;
import dev.sluice.model.InvalidFileException;
import dev.sluice.model.safetensors.Checkpoint;
import dev.sluice.model.safetensors.Checkpoint.Stored;
import dev.sluice.model.safetensors.ElementType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// Looks at every tensor's header entry and notes what is missing or of the wrong shape or type.
final class CheckingSource extends StoredSource {
    private static final Set<ElementType> WEIGHTS =
            EnumSet.of(ElementType.F32, ElementType.BF16, ElementType.F16, ElementType.F8_E4M3);
    private static final int SHOWN = 6;
    /// Looking further would tell nobody more, and a hostile configuration can ask for billions of tensors.
    private static final int MOST = 1000;

    private final List<String> faults = new ArrayList<>();
    private final Set<String> read = new HashSet<>();
    private Path faultyFile;

    CheckingSource(Checkpoint checkpoint) {
        super(checkpoint);
    }

    @Override
    public Tensor load(Wanted wanted) {
        wanted.parts().forEach(this::check);
        return null;
    }

    /// @throws InvalidFileException naming the first faults and how many there are, or were when looking ended
    void requireNoFaults() {
        if (!faults.isEmpty()) {
            String more = faults.size() > SHOWN ? " and " + (faults.size() - SHOWN) + " more" : "";
            throw new InvalidFileException(faultyFile,
                    String.join("; ", faults.subList(0, Math.min(SHOWN, faults.size()))) + more);
        }
    }

    /// What the checkpoint holds and nothing asked for, in words; empty if nothing.
    String unread() {
        return UnreadTensors.describe(checkpoint().names(), read);
    }

    private Stored find(String name) {
        read.add(name);
        return checkpoint().find(name);
    }

    private void check(Part part) {
        Stored stored = find(part.name());
        long[] shape = part.storedShape();
        if (stored == null && checkpoint().find(PackedRows.blocksName(part.name())) != null) {
            checkPacked(part);
        } else if (stored == null) {
            fault(checkpoint().folder(), "tensor " + part.name() + " " + Arrays.toString(shape) + " is missing");
        } else if (checkpoint().find(part.name() + StoredNf4.OTHER_STATE) != null) {
            fault(stored.file().path(), "tensor " + stored.entry() + " is FP4 of bitsandbytes, which is not supported; its NF4 is");
        } else if (StoredNf4.is(checkpoint(), part.name())) {
            checkNf4(part);
        } else if (!WEIGHTS.contains(stored.entry().type())) {
            fault(stored.file().path(), "tensor " + stored.entry() + " should have a type of " + WEIGHTS);
        } else if (!Arrays.equals(stored.entry().shape(), shape)) {
            fault(stored.file().path(), "tensor " + stored.entry() + " should have shape " + Arrays.toString(shape));
        } else if (stored.entry().type() == ElementType.F8_E4M3 && part.arrangement() != Arrangement.PLAIN) {
            fault(stored.file().path(), "tensor " + stored.entry() + " is F8_E4M3, which is not supported for this family's"
                    + " stacks of experts");
        } else if (stored.entry().type() == ElementType.F8_E4M3) {
            checkScales(part);
        }
    }

    private void checkPacked(Part part) {
        if (part.shape().length != 3 || part.shape()[2] % PackedRows.BLOCK != 0) {
            fault(checkpoint().folder(), "tensor " + PackedRows.blocksName(part.name()) + " cannot hold "
                    + Arrays.toString(part.shape()) + ": its rows are not whole blocks of " + PackedRows.BLOCK);
            return;
        }
        long[] blocks = PackedRows.blocksShape(part.shape());
        requireBytes(PackedRows.blocksName(part.name()), blocks);
        requireBytes(PackedRows.scalesName(part.name()), Arrays.copyOf(blocks, 3));
    }

    private void requireBytes(String name, long[] shape) {
        Stored stored = find(name);
        if (stored == null) {
            fault(checkpoint().folder(), "tensor " + name + " " + Arrays.toString(shape) + " is missing");
        } else if (stored.entry().type() != ElementType.U8 || !Arrays.equals(stored.entry().shape(), shape)) {
            fault(stored.file().path(), "tensor " + stored.entry() + " should be U8 " + Arrays.toString(shape));
        }
    }

    private void checkNf4(Part part) {
        StoredNf4.SUFFIXES.forEach(suffix -> read.add(part.name() + suffix));
        Nf4Fault fault = Nf4Fault.of(checkpoint(), part);
        if (fault != null) {
            fault(fault.where() == null ? checkpoint().folder() : fault.where().file().path(), fault.what());
        }
    }

    private void checkScales(Part part) {
        String name = BlockScales.name(part.name());
        long[] wanted = BlockScales.shape(part.shape());
        Stored scales = find(name);
        if (scales == null) {
            fault(checkpoint().folder(), "tensor " + part.name() + " is F8_E4M3, and its " + name + " "
                    + Arrays.toString(wanted) + " is missing");
        } else if (scales.entry().type() != ElementType.F32 && scales.entry().type() != ElementType.BF16
                || !Arrays.equals(scales.entry().shape(), wanted)) {
            fault(scales.file().path(), "tensor " + scales.entry() + " should be F32 or BF16 " + Arrays.toString(wanted));
        }
    }

    private void fault(Path file, String fault) {
        faultyFile = faults.isEmpty() ? file : faultyFile;
        faults.add(fault);
        if (faults.size() == MOST) {
            requireNoFaults();
        }
    }
}
