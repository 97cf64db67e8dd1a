package dev.sluice.contracts.store;

import dev.sluice.contracts.store.ArtifactException.Problem;
import dev.sluice.contracts.wire.Sha256;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.security.MessageDigest;

/// Passes bytes on and checks size and hash at the end. Whoever stops early has verified nothing.
final class VerifiedInputStream extends FilterInputStream {

    private final ArtifactRef ref;
    private final MessageDigest digest = Sha256.digest();
    private long count;
    private boolean verified;

    VerifiedInputStream(InputStream content, ArtifactRef ref) {
        super(content);
        this.ref = ref;
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
        int read = super.read(target, offset, length);
        if (read > 0) {
            digest.update(target, offset, read);
            count += read;
        }
        if (count > ref.bytes() || (read < 0 && count < ref.bytes())) {
            throw damaged("has " + (read < 0 ? count : "more than " + ref.bytes()) + " bytes, " + ref.bytes() + " were promised");
        }
        if (read < 0) {
            verify();
        }
        return read;
    }

    @Override
    public long skip(long bytes) throws IOException {
        return readNBytes((int) Math.min(bytes, 8192)).length;
    }

    @Override
    public boolean markSupported() {
        return false;
    }

    private void verify() throws ArtifactException {
        if (!verified) {
            String found = Sha256.hex(digest.digest());
            if (!found.equals(ref.sha256())) {
                throw damaged("has SHA-256 " + found + ", " + ref.sha256() + " was promised");
            }
            verified = true;
        }
    }

    private ArtifactException damaged(String what) {
        return new ArtifactException(Problem.DAMAGED, "artifact " + ref.uri() + " " + what + ": it was damaged or replaced");
    }
}
