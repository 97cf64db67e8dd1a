package dev.sluice.compute;

/// Where the documents of a packed sequence begin: document i owns rows `starts[i]` to `starts[i+1]-1`.
/// Attention never crosses a boundary and positions restart there.
///
/// @param starts [documents + 1] on the host, beginning with 0 and ending with the token count
/// @param device the same numbers, INT32 [documents + 1], in the backend's memory
public record Segments(int[] starts, Tensor device) {
    public Segments {
        if (starts.length < 2 || starts[0] != 0) {
            throw new IllegalArgumentException("segment starts must begin with 0 and end with the token count");
        }
        for (int i = 1; i < starts.length; i++) {
            if (starts[i] <= starts[i - 1]) {
                throw new IllegalArgumentException("segment " + (i - 1) + " is empty: starts at " + starts[i - 1]
                        + ", ends at " + starts[i]);
            }
        }
    }

    public int count() {
        return starts.length - 1;
    }

    public int tokens() {
        return starts[starts.length - 1];
    }

    public int longest() {
        int longest = 0;
        for (int i = 1; i < starts.length; i++) {
            longest = Math.max(longest, starts[i] - starts[i - 1]);
        }
        return longest;
    }
}
