package dev.sluice.cuda;

/// The contract on the kernels for this card. Those for compute capability 7.5 run on newer cards too: as PTX, with the 64 KiB of shared memory
/// that a block has there. Put first on the class path
/// ```
/// dev/sluice/cuda/portable.fatbin       nvcc -std=c++17 -O3 -fatbin --compress-mode=size -gencode arch=compute_75,code=compute_75
///                                            -o portable.fatbin src/main/cuda/portable/portable.cu
/// dev/sluice/cuda/portable.properties   machine=75
///                                       ptx=75
/// ```
/// and every test and benchmark of this backend runs on them.
class PortableBackendTest extends GpuContract {
    PortableBackendTest() {
        super(new PortableProvider());
    }
}
