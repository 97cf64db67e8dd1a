package dev.sluice.text.template;

import java.math.BigInteger;
import java.time.Clock;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Functions that every template can call.
final class Globals {

    private static final List<String> LEFT_OUT = List.of("lipsum", "cycler", "joiner");

    private static final BigInteger MIN = BigInteger.valueOf(-1L << 60);
    private static final BigInteger MAX = BigInteger.valueOf(1L << 60);

    private Globals() {}

    static Map<String, Object> of(Clock clock, Meter meter) {
        var globals = new HashMap<String, Object>();
        globals.put("range", (Callable) Globals::range);
        globals.put("namespace", (Callable) arguments -> namespace(arguments, meter));
        globals.put("dict", (Callable) arguments -> dict(arguments, meter));
        globals.put("raise_exception", (Callable) arguments -> raise(arguments, meter));
        globals.put("strftime_now", (Callable) arguments -> Strftime.format(clock, arguments.bind("strftime_now", 1, "format").text(0)));
        for (String name : LEFT_OUT) {
            globals.put(name, (Callable) arguments -> {
                throw EvaluationError.unsupported("the function " + name);
            });
        }
        return globals;
    }

    private static Object raise(CallArguments arguments, Meter meter) {
        throw EvaluationError.raised(Printer.str(arguments.bind("raise_exception", 1, "message").get(0), meter));
    }

    private static Object range(CallArguments arguments) {
        arguments.refuseNamed("range");
        var bounds = new ArrayList<Long>();
        for (Object argument : arguments.positional()) {
            if (!Numbers.isInteger(argument)) {
                throw argument instanceof Undefined undefined ? undefined.fail() : EvaluationError.refused("'"
                        + Types.name(argument) + "' object cannot be interpreted as an integer");
            }
            bounds.add(Numbers.big(argument).max(MIN).min(MAX).longValue());
        }
        return switch (bounds.size()) {
            case 1 -> new Range(0, bounds.get(0), 1);
            case 2 -> new Range(bounds.get(0), bounds.get(1), 1);
            case 3 -> new Range(bounds.get(0), bounds.get(1), bounds.get(2));
            default -> throw EvaluationError.refused("range expected 1 to 3 arguments, got " + bounds.size());
        };
    }

    private static Object namespace(CallArguments arguments, Meter meter) {
        var namespace = new Namespace();
        dict(arguments, meter).forEach((name, value) -> namespace.set(Printer.str(name, meter), value));
        return namespace;
    }

    private static Map<Object, Object> dict(CallArguments arguments, Meter meter) {
        var fields = new LinkedHashMap<Object, Object>();
        for (Object source : arguments.positional()) {
            if (source instanceof Map<?, ?> map) {
                map.forEach((key, value) -> Dicts.put(fields, key, value));
            } else {
                Values.elements(source, meter).forEach(pair -> putPair(fields, Values.elements(pair, meter)));
            }
        }
        arguments.named().forEach((name, value) -> Dicts.put(fields, name, value));
        return fields;
    }

    private static void putPair(LinkedHashMap<Object, Object> fields, List<Object> pair) {
        if (pair.size() != 2) {
            throw EvaluationError.refused("dictionary update sequence element has length " + pair.size() + "; 2 is required");
        }
        Dicts.put(fields, pair.get(0), pair.get(1));
    }
}
