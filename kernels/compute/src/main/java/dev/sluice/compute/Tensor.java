package dev.sluice.compute;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Objects;

/// A dense row-major block of numbers in a backend's memory.
///
/// A tensor is born named in a [Scope] and dies with it; touching it afterwards throws with its name. On the CPU
/// backend the memory is ordinary off-heap memory and [#segment()] reads and writes it; on a GPU the segment is a
/// bare device address of that length, which only kernels may dereference.
public final class Tensor {
    private final String name;
    private final DType dtype;
    private final long[] shape;
    private final long elements;
    private final MemorySegment memory;
    private final Scope owner;

    /// Called by scopes only: application code allocates through [Scope#allocate].
    ///
    /// @throws IllegalArgumentException if a dimension is negative or the memory is not exactly the shape's size
    public Tensor(String name, DType dtype, long[] shape, MemorySegment memory, Scope owner) {
        this.name = Objects.requireNonNull(name, "name");
        this.dtype = Objects.requireNonNull(dtype, "dtype");
        this.shape = shape.clone();
        this.elements = elements(name, shape);
        this.memory = memory;
        this.owner = owner;
        if (memory.byteSize() != dtype.bytes(elements)) {
            throw new IllegalArgumentException("tensor " + name + ": shape " + Arrays.toString(shape) + " of " + dtype
                    + " needs " + dtype.bytes(elements) + " bytes, the memory has " + memory.byteSize());
        }
    }

    /// Product of the dimensions.
    ///
    /// @throws IllegalArgumentException if one is negative
    public static long elements(String name, long... shape) {
        long product = 1;
        for (long dimension : shape) {
            if (dimension < 0) {
                throw new IllegalArgumentException(
                        "tensor " + name + ": dimensions must be at least 0, were " + Arrays.toString(shape));
            }
            product = Math.multiplyExact(product, dimension);
        }
        return product;
    }

    public String name() {
        return name;
    }

    public DType dtype() {
        return dtype;
    }

    public int rank() {
        return shape.length;
    }

    /// Size of dimension `index`; negative indices count from the end, so `dim(-1)` is the row width.
    public long dim(int index) {
        return shape[index < 0 ? shape.length + index : index];
    }

    public long[] shape() {
        return shape.clone();
    }

    public long elements() {
        return elements;
    }

    public long bytes() {
        return memory.byteSize();
    }

    /// The tensor's memory: host memory on the CPU backend, a device address elsewhere.
    ///
    /// @throws IllegalStateException if the owning scope is closed
    public MemorySegment segment() {
        if (!owner.isOpen()) {
            throw new IllegalStateException("tensor " + name + " used after its scope " + owner.name() + " was closed");
        }
        return memory;
    }

    /// Address of the first element, for native calls and kernel arguments.
    public long address() {
        return segment().address();
    }

    /// A window onto the same memory: `shape` elements beginning at `firstElement`. Owned by the same scope.
    public Tensor view(String viewName, long firstElement, long... viewShape) {
        long count = elements(viewName, viewShape);
        if (firstElement < 0 || firstElement + count > elements) {
            throw new IllegalArgumentException("view " + viewName + " of " + this + ": elements " + firstElement + " to "
                    + (firstElement + count) + " lie outside the " + elements + " there are");
        }
        var window = segment().asSlice(dtype.bytes(firstElement), dtype.bytes(count));
        return new Tensor(viewName, dtype, viewShape, window, owner);
    }

    /// The same elements under another shape of equal size.
    public Tensor reshape(long... newShape) {
        return view(name, 0, newShape);
    }

    /// Checks dtype and shape; -1 accepts any size. Operations call it before they touch memory.
    ///
    /// @throws IllegalArgumentException naming the operation, the tensor, what was wanted and what was found
    public Tensor require(String operation, DType wanted, long... wantedShape) {
        boolean fits = dtype == wanted && shape.length == wantedShape.length;
        for (int i = 0; fits && i < shape.length; i++) {
            fits = wantedShape[i] == -1 || wantedShape[i] == shape[i];
        }
        if (!fits) {
            throw new IllegalArgumentException(operation + ": " + this + " should be " + wanted + " "
                    + Arrays.toString(wantedShape));
        }
        return this;
    }

    @Override
    public String toString() {
        return name + " " + dtype + " " + Arrays.toString(shape);
    }
}
