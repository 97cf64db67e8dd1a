package dev.sluice.cli.pipeline;

import dev.sluice.cli.CliException;
import dev.sluice.cli.ExitCode;
import java.nio.file.Files;
import java.nio.file.Path;

/// Where the built program lies: the checkout that the launcher put into `SLUICE_HOME`.
public record Installation(Path home) {
    public static Installation current() {
        String configured = System.getenv("SLUICE_HOME");
        return new Installation(Path.of(configured == null ? "" : configured).toAbsolutePath().normalize());
    }

    /// The runnable jar of a service.
    ///
    /// @throws CliException if it has not been built
    public Path runnable(ServiceKind service) {
        Path jar = home.resolve(service.module()).resolve("target/quarkus-app/quarkus-run.jar");
        if (!Files.isRegularFile(jar)) {
            throw new CliException(ExitCode.FAILED, service.title() + " is not built: " + jar + " is missing; run ./sluice build");
        }
        return jar;
    }

    /// Folder of the jars that do the numbers' half, as the trainer has them.
    ///
    /// @throws CliException if the trainer has not been built
    public Path kernels() {
        return runnable(ServiceKind.TRAINER).resolveSibling("lib").resolve("main");
    }

    /// Folder of the sample: model, conversations.
    public Path sample() {
        return home.resolve("ingest/cli/sample");
    }

    public static Path java() {
        return Path.of(System.getProperty("java.home"), "bin", "java");
    }
}
