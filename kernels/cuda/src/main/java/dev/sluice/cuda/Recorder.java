package dev.sluice.cuda;

/// Records work for the device instead of running it.
interface Recorder {
    /// @param work gives the device orders, and neither waits for it nor copies to or from the host
    /// @throws RuntimeException what the work threw, or why it cannot be recorded; nothing of it ran then
    Recording record(Runnable work);

    /// Recorded work.
    interface Recording extends AutoCloseable {
        /// Runs it, behind everything that was ordered before.
        void play();

        @Override
        void close();
    }
}
