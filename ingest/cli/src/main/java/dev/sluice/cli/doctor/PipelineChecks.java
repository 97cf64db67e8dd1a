package dev.sluice.cli.doctor;

import dev.sluice.cli.client.Client;
import dev.sluice.cli.pipeline.PipelineStatus;
import dev.sluice.contracts.topic.TopicAdmin;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.apache.kafka.common.KafkaException;

/// Whether a running pipeline is whole: processes, topics, and a file written to the artifact store and read back.
public final class PipelineChecks {
    private PipelineChecks() {}

    public static List<Check> run(Client client, Optional<PipelineStatus> status) {
        var checks = new ArrayList<Check>();
        status.ifPresent(running -> running.processes().forEach(process -> checks.add(process.isReady()
                ? Check.ok(process.name(), "ready on port " + process.port() + ", process " + process.pid())
                : Check.wrong(process.name(), "process " + process.pid() + " is not ready; see its log"))));
        checks.addAll(topics(client));
        if (status.isPresent()) {
            checks.add(store(client));
        }
        return checks;
    }

    private static List<Check> topics(Client client) {
        try (var admin = client.kafka().admin()) {
            var problems = new TopicAdmin(admin, client.topics()).check();
            return problems.isEmpty() ? List.of(Check.ok("topics", "all are there under the prefix " + client.topics().prefix()))
                    : problems.stream().map(problem -> Check.wrong("topics", problem)).toList();
        } catch (KafkaException e) {
            return List.of(Check.wrong("topics", "the broker at " + client.kafka().bootstrapServers() + " does not answer: " + e.getMessage()));
        }
    }

    private static Check store(Client client) {
        byte[] content = ("doctor " + System.nanoTime()).getBytes(StandardCharsets.UTF_8);
        try {
            var ref = client.store().put(new ByteArrayInputStream(content));
            try (var back = client.store().get(ref)) {
                boolean same = Arrays.equals(content, back.readAllBytes());
                client.store().delete(ref);
                return same ? Check.ok("artifact store", "written, read back, hash verified")
                        : Check.wrong("artifact store", "gave back other bytes than were written");
            }
        } catch (IOException e) {
            return Check.wrong("artifact store", e.getMessage());
        }
    }
}
