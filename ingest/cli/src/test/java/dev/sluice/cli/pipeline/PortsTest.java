package dev.sluice.cli.pipeline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PortsTest {
    @TempDir
    private Path folder;

    @Test
    void aPortIsKeptForLaterStarts() {
        var data = new DataFolder(folder).create();
        int first = new Ports(data).of("broker");
        assertEquals(first, new Ports(data).of("broker"));
    }

    @Test
    void aPortThatAnotherProgramTookIsDrawnAnew() throws IOException {
        var data = new DataFolder(folder).create();
        int first = new Ports(data).of("broker");
        try (var other = new ServerSocket(first, 1, InetAddress.getLoopbackAddress())) {
            assertNotEquals(other.getLocalPort(), new Ports(data).of("broker"));
        }
    }

    @Test
    void twoNamesNeverShareAPort() {
        var ports = new Ports(new DataFolder(folder).create());
        assertNotEquals(ports.of("ingest"), ports.of("trainer"));
    }
}
