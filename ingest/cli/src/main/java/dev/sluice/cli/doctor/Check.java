package dev.sluice.cli.doctor;

/// One thing that was looked at, and what to do about it where it is wrong.
public record Check(String name, Result result, String detail) {
    public enum Result {
        OK,
        /// Worth knowing; nothing has to be done.
        NOTE,
        WRONG
    }

    public static Check ok(String name, String detail) {
        return new Check(name, Result.OK, detail);
    }

    public static Check note(String name, String detail) {
        return new Check(name, Result.NOTE, detail);
    }

    public static Check wrong(String name, String detail) {
        return new Check(name, Result.WRONG, detail);
    }
}
