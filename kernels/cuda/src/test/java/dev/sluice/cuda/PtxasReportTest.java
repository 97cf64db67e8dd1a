package dev.sluice.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The gate on what the compiler says about the kernels; needs a build in which nvcc ran.
class PtxasReportTest {
    /// Bytes of spill stores that a kernel may have on any device, by name; everything else must have none.
    private static final Map<String, Integer> ALLOWED_SPILLS = Map.of(
            // One word outside the loop on 8.x: ptxas aims at three blocks a multiprocessor.
            "attention_forward_64", 4);
    /// What more they may have on devices before 8.0, whose products carry a power of two for every row and column.
    private static final Map<String, Integer> ALLOWED_SPILLS_ON_TURING =
            Map.of("attention_forward_256", 52, "lora_z_64_64", 44, "lora_dz_64_64", 80);

    private static final Pattern KERNEL = Pattern.compile("Compiling entry function '(\\w+)' for '(\\w+)'");
    private static final Pattern SPILL = Pattern.compile("(\\d+) bytes spill stores");

    private record Spill(String kernel, String device, int bytes) {}

    private static List<String> report(String image) throws IOException {
        Path file = Path.of("target", "ptxas", image + ".log");
        assumeTrue(Files.exists(file), "nvcc was not on the PATH of this build");
        return Files.readAllLines(file);
    }

    private static int allowed(String kernel, String device) {
        return Math.max(ALLOWED_SPILLS.getOrDefault(kernel, 0), device.equals("sm_75") ? ALLOWED_SPILLS_ON_TURING.getOrDefault(kernel, 0) : 0);
    }

    private static List<Spill> spills(List<String> report) {
        var spills = new ArrayList<Spill>();
        String kernel = "none";
        String device = "none";
        for (String line : report) {
            var entry = KERNEL.matcher(line);
            if (entry.find()) {
                kernel = entry.group(1);
                device = entry.group(2);
            }
            var spill = SPILL.matcher(line);
            if (spill.find() && Integer.parseInt(spill.group(1)) > allowed(kernel, device)) {
                spills.add(new Spill(kernel, device, Integer.parseInt(spill.group(1))));
            }
        }
        return spills;
    }

    @ParameterizedTest
    @ValueSource(strings = {"portable", "hopper"})
    void noKernelSpillsRegisters(String image) throws IOException {
        assertEquals(List.of(), spills(report(image)));
    }

    /// C75xx: wgmma serialised, setmaxnreg ignored.
    @ParameterizedTest
    @ValueSource(strings = {"portable", "hopper"})
    void compilerGivesNoWarning(String image) throws IOException {
        var warnings = report(image).stream().filter(line -> line.contains("C75") || line.contains("warning")).toList();
        assertEquals(List.of(), warnings);
    }

    @Test
    void spillIsSeen() {
        var report = List.of("ptxas info    : Compiling entry function 'k' for 'sm_90'", "ptxas info    : Function properties for k",
                "    56 bytes stack frame, 52 bytes spill stores, 56 bytes spill loads");
        assertEquals(List.of(new Spill("k", "sm_90", 52)), spills(report));
        assertTrue(spills(List.of("    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads")).isEmpty());
        assertFalse(KERNEL.matcher("Function properties for k").find());
    }
}
