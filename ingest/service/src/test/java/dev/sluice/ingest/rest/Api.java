package dev.sluice.ingest.rest;

import static io.restassured.RestAssured.given;

import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.wire.Json;
import dev.sluice.ingest.Await;
import io.restassured.response.ValidatableResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/// The REST API as tests use it.
public final class Api {

    /// The sample model of the repository.
    public static final Path MODEL = Path.of("../cli/sample/model").toAbsolutePath().normalize();

    private Api() {}

    public static void awaitReady() {
        Await.until(() -> given().get("/q/health/ready").statusCode(), status -> status == 200);
    }

    public static ValidatableResponse publish(String dataset, String jsonl) {
        return given().contentType("application/x-ndjson").body(jsonl.getBytes(StandardCharsets.UTF_8)).post("/datasets/" + dataset + "/records").then();
    }

    public static ValidatableResponse submit(String job) {
        return given().contentType("application/json").body(job).post("/jobs").then();
    }

    public static JobState job(String id) {
        try {
            return Json.read(given().get("/jobs/" + id).asByteArray(), JobState.class);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    public static long count(String dataset, String name) {
        var response = given().get("/datasets/" + dataset);
        return response.statusCode() == 404 ? 0 : response.jsonPath().getLong("counts." + name);
    }

    /// `count` conversations, each different.
    public static String conversations(int from, int count) {
        StringBuilder lines = new StringBuilder();
        for (int i = from; i < from + count; i++) {
            lines.append("{\"id\":\"r").append(i).append("\",\"messages\":[{\"role\":\"user\",\"content\":\"mixer ").append(i)
                    .append(" please\"},{\"role\":\"assistant\",\"content\":\"mixer-").append(i).append(" CHECK\"}]}\n");
        }
        return lines.toString();
    }
}
