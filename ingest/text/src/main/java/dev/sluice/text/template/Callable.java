package dev.sluice.text.template;

/// Something that a template can call.
interface Callable {

    Object call(CallArguments arguments);
}
