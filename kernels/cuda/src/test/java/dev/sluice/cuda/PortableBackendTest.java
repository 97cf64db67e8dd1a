package dev.sluice.cuda;

class PortableBackendTest extends GpuContract {
    PortableBackendTest() {
        super(new PortableProvider());
    }
}
