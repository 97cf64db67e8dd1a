package dev.sluice.text.template;

/// A filter: `input | name(arguments)`.
interface FilterFunction {

    Object apply(Object input, CallArguments arguments, Meter meter);
}
