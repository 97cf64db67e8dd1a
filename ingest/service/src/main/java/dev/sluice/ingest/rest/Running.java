package dev.sluice.ingest.rest;

import dev.sluice.ingest.Parts;
import dev.sluice.ingest.Pipeline;
import jakarta.enterprise.context.ApplicationScoped;

/// The running service, or 503.
@ApplicationScoped
class Running {

    private final Pipeline pipeline;

    Running(Pipeline pipeline) {
        this.pipeline = pipeline;
    }

    Parts parts() {
        return pipeline.parts().orElseThrow(() -> ProblemException.later(503, "Starting",
                "Ingest has not reached the broker yet. Try again; see /q/health/ready.", 1));
    }
}
