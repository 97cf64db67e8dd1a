package dev.sluice.bench.machine;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.regex.Pattern;

/// Where a measurement was made: without it a number means nothing.
///
/// @param cpu model name
/// @param processors that this process may use
/// @param memoryGib of the machine
/// @param driver NVIDIA driver, empty without one
/// @param load average of the last minute when it began: other work makes times worthless
/// @param commit of these sources, empty where unknown
public record Machine(String cpu, int processors, double memoryGib, String driver, String java, String system, double load,
        String commit, Instant time) {
    private static final double KIB_PER_GIB = 1 << 20;

    /// This machine, now.
    public static Machine here() {
        return new Machine(find("/proc/cpuinfo", "(?m)^model name\\s*: (.*)$", System.getProperty("os.arch")),
                Runtime.getRuntime().availableProcessors(),
                Double.parseDouble(find("/proc/meminfo", "(?m)^MemTotal:\\s*(\\d+) kB$", "0")) / KIB_PER_GIB,
                find("/proc/driver/nvidia/version", "Kernel Module.*?(\\d+\\.\\d+[.\\d]*)", ""),
                System.getProperty("java.vm.name") + " " + Runtime.version(),
                System.getProperty("os.name") + " " + System.getProperty("os.version"),
                Double.parseDouble(find("/proc/loadavg", "^(\\S+)", "-1")), Commit.ofBuild(), Instant.now().truncatedTo(ChronoUnit.SECONDS));
    }

    private static String find(String file, String pattern, String otherwise) {
        var matcher = Pattern.compile(pattern).matcher(ProcFile.read(file));
        return matcher.find() ? matcher.group(1).strip() : otherwise;
    }

    public JsonNode json() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("cpu", cpu).put("processors", processors).put("memory_gib", Math.round(memoryGib * 10) / 10.0);
        json.put("driver", driver.isEmpty() ? null : driver).put("java", java).put("system", system).put("load", load);
        return json.put("commit", commit.isEmpty() ? null : commit).put("time", time.toString());
    }

    /// The same in one line.
    public String describe() {
        return cpu + ", " + processors + " processors, " + Math.round(memoryGib) + " GiB" + (driver.isEmpty() ? "" : ", NVIDIA driver " + driver)
                + ", " + java + ", " + system + ", load " + load + (commit.isEmpty() ? "" : ", commit " + commit) + ", " + time;
    }
}
