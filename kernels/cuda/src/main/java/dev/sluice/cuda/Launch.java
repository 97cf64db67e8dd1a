package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;
import java.lang.foreign.MemorySegment;

/// One kernel launch, written in the order of the kernel's own parameters.
final class Launch {
    private final Device device;
    private final Device.Kernel kernel;
    private final LaunchMemory memory;
    private int gridX = 1;
    private int gridY = 1;
    private int gridZ = 1;
    private int block = 1;
    private int sharedBytes;
    private String detail = "";

    Launch(Device device, Device.Kernel kernel, LaunchMemory memory) {
        this.device = device;
        this.kernel = kernel;
        this.memory = memory;
        memory.reset();
    }

    /// How kernels name element types: `Format` in `numbers.cuh`.
    static int code(DType dtype) {
        return switch (dtype) {
            case FLOAT32 -> 0;
            case BFLOAT16 -> 1;
            case FLOAT16 -> 2;
            case INT32, UINT8 -> throw new IllegalArgumentException("kernels read numbers as FLOAT32, BFLOAT16 or FLOAT16, not " + dtype);
        };
    }

    /// What tells this launch from others of the same kernel, where times are taken.
    Launch detail(String text) {
        detail = text;
        return this;
    }

    Launch grid(long x) {
        return grid(x, 1, 1);
    }

    Launch grid(long x, long y) {
        return grid(x, y, 1);
    }

    Launch grid(long x, long y, long z) {
        gridX = Math.toIntExact(x);
        gridY = Math.toIntExact(y);
        gridZ = Math.toIntExact(z);
        return this;
    }

    Launch block(int threads) {
        block = threads;
        return this;
    }

    Launch sharedBytes(int bytes) {
        sharedBytes = bytes;
        return this;
    }

    /// A tensor's address; 0 for null.
    Launch pointer(Tensor tensor) {
        return int64(tensor == null ? 0 : tensor.address());
    }

    /// Address of one element of a tensor; 0 for null.
    Launch pointer(Tensor tensor, long element) {
        return int64(tensor == null ? 0 : tensor.address() + tensor.dtype().bytes(element));
    }

    /// A tensor that may be in any float format: its address, then its format.
    Launch pointerAndFormat(Tensor tensor) {
        return pointer(tensor).int32(tensor == null ? 0 : code(tensor.dtype()));
    }

    Launch int64(long value) {
        memory.put(value);
        return this;
    }

    Launch int32(long value) {
        memory.put(Math.toIntExact(value));
        return this;
    }

    Launch flag(boolean value) {
        return int32(value ? 1 : 0);
    }

    Launch float32(double value) {
        memory.put((float) value);
        return this;
    }

    /// Where the kernel reports an index outside its table.
    Launch fault() {
        return int64(device.faultAddress());
    }

    /// A descriptor of the tensor copy engine, by value.
    Launch tensorMap(MemorySegment map) {
        memory.put(map, TensorMaps.ALIGNMENT);
        return this;
    }

    Launch beginStruct() {
        memory.beginStruct();
        return this;
    }

    Launch endStruct() {
        memory.endStruct();
        return this;
    }

    /// Puts the kernel on the compute stream; an empty grid does nothing.
    void run() {
        if (gridX > 0 && gridY > 0 && gridZ > 0) {
            device.run(kernel, detail, new DriverLibrary.Shape(gridX, gridY, gridZ, block, sharedBytes), memory.table());
        }
    }
}
