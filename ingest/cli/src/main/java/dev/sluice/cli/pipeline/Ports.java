package dev.sluice.cli.pipeline;

import com.fasterxml.jackson.core.type.TypeReference;
import dev.sluice.contracts.wire.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.util.Map;
import java.util.TreeMap;

/// The ports of one data folder: drawn once, kept for every later start, so that clients find a restarted pipeline.
final class Ports {
    private static final TypeReference<TreeMap<String, Integer>> TYPE = new TypeReference<>() {};
    private final DataFolder data;
    private final Map<String, Integer> ports;

    Ports(DataFolder data) {
        this.data = data;
        this.ports = read(data);
    }

    /// The port of `name`: the one it had, or a free one where it had none or another program took it.
    synchronized int of(String name) {
        Integer known = ports.get(name);
        if (known != null && isFree(known)) {
            return known;
        }
        int port = draw();
        ports.put(name, port);
        write();
        return port;
    }

    private static TreeMap<String, Integer> read(DataFolder data) {
        try {
            return Files.exists(data.ports()) ? Json.mapper().readValue(data.ports().toFile(), TYPE) : new TreeMap<>();
        } catch (IOException damaged) {
            return new TreeMap<>();
        }
    }

    private void write() {
        try {
            Files.write(data.ports(), Json.mapper().writeValueAsBytes(ports));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static boolean isFree(int port) {
        try (var socket = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
            return socket.isBound();
        } catch (IOException taken) {
            return false;
        }
    }

    private int draw() {
        while (true) {
            try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
                if (!ports.containsValue(socket.getLocalPort())) {
                    return socket.getLocalPort();
                }
            } catch (IOException e) {
                throw new UncheckedIOException("no free port on the loopback address", e);
            }
        }
    }
}
