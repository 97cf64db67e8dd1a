package dev.sluice.evaluator.statistic;

/// An estimate with its standard error and confidence interval.
///
/// @param low lower end
/// @param high upper end
public record Interval(double estimate, double stderr, double low, double high) {}
