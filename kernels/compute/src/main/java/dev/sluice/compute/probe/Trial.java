package dev.sluice.compute.probe;

import java.util.List;

/// One operation on one ragged case. It runs on both sides; everything random in it comes from the side.
///
/// @param operation what is checked
/// @param sizes to show
public record Trial(String operation, String sizes, Body body) {
    /// Runs the operation and names what it wrote.
    interface Body {
        List<Output> run(Side side);
    }
}
