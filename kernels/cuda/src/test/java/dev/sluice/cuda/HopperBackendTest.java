package dev.sluice.cuda;

class HopperBackendTest extends GpuContract {
    HopperBackendTest() {
        super(new HopperProvider());
    }
}
