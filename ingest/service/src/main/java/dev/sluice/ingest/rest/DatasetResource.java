package dev.sluice.ingest.rest;

import dev.sluice.contracts.dataset.DatasetVersion;
import dev.sluice.contracts.wire.Check;
import dev.sluice.ingest.Parts;
import dev.sluice.ingest.record.RecordPublisher;
import dev.sluice.ingest.rest.Published.RefusedLine;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.RecordMetadata;

/// Records in, accounts and versions out.
@Path("/datasets")
@Produces(MediaType.APPLICATION_JSON)
class DatasetResource {

    private static final int RETRY_SECONDS = 2;
    private static final int IN_FLIGHT = 1_000;
    private static final int REPORTED_LINES = 100;

    private final Running running;

    DatasetResource(Running running) {
        this.running = running;
    }

    @GET
    public List<DatasetView> all() {
        Parts parts = running.parts();
        return parts.datasets().ledgers().stream()
                .map(ledger -> DatasetView.of(ledger, parts.datasets().versions(ledger.datasetId()))).toList();
    }

    @GET
    @Path("/{id}")
    public DatasetView one(@PathParam("id") String id) {
        Parts parts = running.parts();
        return parts.datasets().ledger(id).map(ledger -> DatasetView.of(ledger, parts.datasets().versions(id)))
                .orElseThrow(() -> noSuchDataset(id));
    }

    /// Cuts a version now; answers with the last one when no example came since.
    @POST
    @Path("/{id}/versions")
    public Response cut(@PathParam("id") String id) throws InterruptedException {
        Parts parts = running.parts();
        int before = parts.datasets().versions(id).size();
        DatasetVersion version = parts.datasets().cut(id).orElseThrow(() -> noSuchDataset(id));
        return Response.status(version.version() > before ? 201 : 200).entity(version).build();
    }

    /// Publishes the records of a JSONL body, one a line. Blank lines are skipped.
    @POST
    @Path("/{id}/records")
    @Consumes(MediaType.WILDCARD)
    public Published publish(@PathParam("id") String id, InputStream body) throws IOException, InterruptedException {
        requireId(id);
        RecordPublisher publisher = running.parts().publisher();
        if (publisher.isBehind()) {
            throw ProblemException.later(429, "Too many unread records", "Ingest is behind by " + running.parts().positions().backlog()
                    + " records. Nothing of this body was taken; send it again later.", RETRY_SECONDS);
        }
        Lines lines = new Lines(body, RecordPublisher.MAX_LINE_BYTES);
        List<RefusedLine> refused = new ArrayList<>();
        Queue<Future<RecordMetadata>> inFlight = new ArrayDeque<>();
        long published = 0;
        for (byte[] line = lines.next(); line != null; line = lines.next()) {
            if (lines.isTooLong()) {
                refuse(refused, lines.number());
            } else if (!isBlank(line)) {
                inFlight.add(publisher.send(id, line));
                published++;
            }
            if (inFlight.size() > IN_FLIGHT) {
                RecordPublisher.confirm(inFlight.remove());
            }
        }
        for (Future<RecordMetadata> sent : inFlight) {
            RecordPublisher.confirm(sent);
        }
        if (published == 0 && refused.isEmpty()) {
            throw ProblemException.of(400, "No records", "The body has no lines. Send JSONL: one JSON object a line.");
        }
        return new Published(id, published, refused);
    }

    private static void refuse(List<RefusedLine> refused, long number) {
        if (refused.size() < REPORTED_LINES) {
            refused.add(new RefusedLine(number, "TOO_LARGE", "The line has more than " + RecordPublisher.MAX_LINE_BYTES
                    + " bytes and was not sent. Split it into several records."));
        }
    }

    private static boolean isBlank(byte[] line) {
        for (byte b : line) {
            if (b != ' ' && b != '\t' && b != '\r') {
                return false;
            }
        }
        return true;
    }

    private static void requireId(String id) {
        try {
            Check.id(id, "dataset id");
        } catch (IllegalArgumentException e) {
            throw ProblemException.of(400, "Not a dataset id", e.getMessage());
        }
    }

    private static ProblemException noSuchDataset(String id) {
        return ProblemException.of(404, "No such dataset", "No example of dataset '" + id + "' was accepted yet. GET /datasets lists what there is;"
                + " POST /datasets/{id}/records sends records.");
    }
}
