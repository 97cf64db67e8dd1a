package dev.sluice.contracts.store;

import dev.sluice.contracts.wire.Check;
import dev.sluice.contracts.wire.Sha256;
import java.net.URI;

/// Where bytes lie, and how a reader knows that it got them.
///
/// @param uri address in an artifact store
/// @param sha256 hash of the content
/// @param bytes size of the content
public record ArtifactRef(URI uri, String sha256, long bytes) {
    public ArtifactRef {
        Check.present(uri, "uri");
        Sha256.require(sha256, "sha256 of " + uri);
        Check.atLeast(bytes, 0, "bytes of " + uri);
    }
}
