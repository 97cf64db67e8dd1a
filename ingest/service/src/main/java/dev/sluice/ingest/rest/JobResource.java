package dev.sluice.ingest.rest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sluice.contracts.job.JobSpec;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.wire.Json;
import dev.sluice.contracts.wire.StrictReader;
import dev.sluice.ingest.job.Submission;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.io.IOException;
import java.net.URI;
import java.util.List;
import java.util.UUID;

/// Jobs: submit, look at, cancel.
@Path("/jobs")
@Produces(MediaType.APPLICATION_JSON)
class JobResource {

    private final Running running;

    JobResource(Running running) {
        this.running = running;
    }

    /// Newest first.
    @GET
    public List<JobState> all() {
        return running.parts().desk().jobs().all();
    }

    @GET
    @Path("/{id}")
    public JobState one(@PathParam("id") String id) {
        return running.parts().desk().jobs().get(id).orElseThrow(() -> noSuchJob(id));
    }

    /// 202 with a new job, or 200 with the first job that does the same work.
    @POST
    @Consumes(MediaType.WILDCARD)
    public Response submit(byte[] body) throws IOException, InterruptedException {
        Submission submission = running.parts().desk().submissions().submit(spec(Json.readTree(body)));
        return Response.status(submission.isNew() ? 202 : 200).location(URI.create("/jobs/" + submission.jobId()))
                .entity(new SubmittedJob(submission.jobId(), submission.phase())).build();
    }

    /// Asks for the job's end; a job that has ended stays as it is.
    @POST
    @Path("/{id}/cancel")
    @Consumes(MediaType.WILDCARD)
    public Response cancel(@PathParam("id") String id, @QueryParam("reason") String reason) throws InterruptedException {
        JobState job = one(id);
        if (job.phase().isTerminal()) {
            throw ProblemException.of(409, "Job has ended", "Job " + id + " is " + job.phase() + " and cannot be cancelled any more.");
        }
        running.parts().desk().submissions().cancel(id, reason);
        return Response.accepted(new SubmittedJob(id, job.phase())).build();
    }

    private static JobSpec spec(JsonNode json) {
        if (!(json instanceof ObjectNode object)) {
            throw ProblemException.of(400, "Not a job", "The body must be one JSON object with 'model' and 'dataset'.");
        }
        if (!object.hasNonNull("job_id")) {
            object.put("job_id", "job-" + UUID.randomUUID().toString().substring(0, 13));
        }
        return StrictReader.read(object, JobSpec.class);
    }

    private static ProblemException noSuchJob(String id) {
        return ProblemException.of(404, "No such job", "There is no job '" + id + "'. GET /jobs lists what there is.");
    }
}
