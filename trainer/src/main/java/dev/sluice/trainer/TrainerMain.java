package dev.sluice.trainer;

import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.QuarkusApplication;
import io.quarkus.runtime.annotations.QuarkusMain;
import sun.misc.Signal;

/// Ends with exit code 0 on SIGTERM once the job is saved and released. Left to itself the JVM ends with 143, which
/// Kubernetes counts as a failure of a Job.
@QuarkusMain
public class TrainerMain implements QuarkusApplication {

    public static void main(String... arguments) {
        Quarkus.run(TrainerMain.class, arguments);
    }

    @Override
    public int run(String... arguments) {
        Signal.handle(new Signal("TERM"), _ -> Quarkus.asyncExit(0));
        Quarkus.waitForExit();
        return 0;
    }
}
