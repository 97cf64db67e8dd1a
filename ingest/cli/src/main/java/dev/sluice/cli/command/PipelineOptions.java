package dev.sluice.cli.command;

import dev.sluice.cli.CliException;
import dev.sluice.cli.ExitCode;
import dev.sluice.cli.client.Client;
import dev.sluice.cli.pipeline.DataFolder;
import dev.sluice.cli.pipeline.PipelineStatus;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.topic.Topics;
import java.io.IOException;
import java.io.Reader;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import picocli.CommandLine.Option;

/// Which pipeline a command talks to: the one running in the data folder, or any broker that is named.
class PipelineOptions {
    private static final String CLIENT_ID = "sluice-cli";

    @Option(names = "--data-folder", paramLabel = "DIR", description = "data folder of the single-machine pipeline (default: $SLUICE_DATA or ~/.sluice)")
    private Path folder;

    @Option(names = "--bootstrap-servers", paramLabel = "HOST:PORT", description = "a broker elsewhere, instead of the data folder's")
    private String bootstrapServers;

    @Option(names = "--topic-prefix", paramLabel = "PREFIX", defaultValue = Topics.DEFAULT_PREFIX, description = "prefix of all topics (default: ${DEFAULT-VALUE})")
    private String topicPrefix;

    @Option(names = "--command-config", paramLabel = "FILE", description = "Kafka client properties (security.*, sasl.*, ssl.*) for a secured broker")
    private Path commandConfig;

    @Option(names = "--store", paramLabel = "URI", description = "artifact store of a pipeline elsewhere")
    private URI store;

    DataFolder data() {
        return new DataFolder(folder == null ? DataFolder.standard() : folder);
    }

    /// The pipeline in the data folder.
    ///
    /// @throws CliException with code NOT_RUNNING if there is none
    PipelineStatus running() {
        return PipelineStatus.running(data()).orElseThrow(() -> new CliException(ExitCode.NOT_RUNNING, "no pipeline runs in "
                + data().root() + "; start one with ./sluice up, or name a broker with --bootstrap-servers"));
    }

    boolean isReachable() {
        return bootstrapServers != null || PipelineStatus.running(data()).isPresent();
    }

    Client connect() {
        if (bootstrapServers != null) {
            return new Client(new KafkaConnection(bootstrapServers, CLIENT_ID, security()), new Topics(topicPrefix), store);
        }
        return connect(running(), data());
    }

    static Client connect(PipelineStatus status, DataFolder data) {
        return new Client(new KafkaConnection(status.bootstrapServers(), CLIENT_ID), new Topics(status.topicPrefix()), data.store());
    }

    private Map<String, String> security() {
        if (commandConfig == null) {
            return Map.of();
        }
        var properties = new Properties();
        try (Reader reader = Files.newBufferedReader(commandConfig)) {
            properties.load(reader);
        } catch (IOException e) {
            throw new CliException(ExitCode.USAGE, "cannot read --command-config " + commandConfig + ": " + e.getMessage(), e);
        }
        return properties.stringPropertyNames().stream().collect(Collectors.toMap(name -> name, properties::getProperty));
    }
}
