package dev.sluice.text.template;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/// What Python can ask of any value: truth, elements, length, equality.
final class Values {

    private Values() {}

    static boolean truth(Object value) {
        return switch (value) {
            case null -> false;
            case Boolean bool -> bool;
            case Long number -> number != 0;
            case BigInteger number -> number.signum() != 0;
            case Double number -> number != 0;
            case String text -> !text.isEmpty();
            case Markup markup -> !markup.text().isEmpty();
            case List<?> items -> !items.isEmpty();
            case Tuple tuple -> !tuple.items().isEmpty();
            case Map<?, ?> fields -> !fields.isEmpty();
            case View view -> !view.items().isEmpty();
            case Range range -> range.length() > 0;
            case Undefined ignored -> false;
            default -> true;
        };
    }

    /// The elements that a `for` visits.
    static List<Object> elements(Object value, Meter meter) {
        List<Object> elements = switch (value) {
            case String text -> PythonText.characters(text, meter);
            case Markup markup -> PythonText.characters(markup.text(), meter);
            case List<?> items -> asObjects(items);
            case Tuple tuple -> tuple.items();
            case Map<?, ?> fields -> new ArrayList<>(fields.keySet());
            case View view -> view.items();
            case Range range -> range.items();
            case Lazy lazy -> lazy.take();
            case Undefined ignored -> List.of();
            case null, default -> throw EvaluationError.refused("'" + Types.name(value) + "' object is not iterable");
        };
        meter.steps(elements.size() / 8);
        return elements;
    }

    static boolean isIterable(Object value) {
        return switch (value) {
            case String ignored -> true;
            case Markup ignored -> true;
            case List<?> ignored -> true;
            case Tuple ignored -> true;
            case Map<?, ?> ignored -> true;
            case View ignored -> true;
            case Range ignored -> true;
            case Lazy ignored -> true;
            case Loop ignored -> true;
            case Undefined ignored -> true;
            case null, default -> false;
        };
    }

    static long length(Object value) {
        return switch (value) {
            case String text -> text.codePointCount(0, text.length());
            case Markup markup -> markup.text().codePointCount(0, markup.text().length());
            case List<?> items -> items.size();
            case Tuple tuple -> tuple.items().size();
            case Map<?, ?> fields -> fields.size();
            case View view -> view.items().size();
            case Range range -> range.length();
            case Undefined ignored -> 0;
            case null, default -> throw EvaluationError.refused("object of type '" + Types.name(value) + "' has no len()");
        };
    }

    /// The value as its elements where it is a list or tuple, else null.
    static List<Object> sequence(Object value) {
        return switch (value) {
            case List<?> items -> asObjects(items);
            case Tuple tuple -> tuple.items();
            case null, default -> null;
        };
    }

    static String textOf(Object value) {
        return switch (value) {
            case String text -> text;
            case Markup markup -> markup.text();
            case null, default -> null;
        };
    }

    static boolean equal(Object left, Object right, Meter meter) {
        meter.step();
        if (left == right) {
            return true;
        }
        if (left == null || right == null) {
            return false;
        }
        if (Numbers.isNumber(left) && Numbers.isNumber(right)) {
            return Numbers.compare(left, right) == 0;
        }
        if (textOf(left) instanceof String text) {
            return text.equals(textOf(right));
        }
        return switch (left) {
            case List<?> items -> right instanceof List<?> others && equalItems(items, others, meter);
            case Tuple tuple -> right instanceof Tuple other && equalItems(tuple.items(), other.items(), meter);
            case Map<?, ?> fields -> right instanceof Map<?, ?> others && equalFields(fields, others, meter);
            case View view -> throw EvaluationError.unsupported("comparing " + view.type());
            default -> left.equals(right);
        };
    }

    private static boolean equalItems(List<?> left, List<?> right, Meter meter) {
        if (left.size() != right.size()) {
            return false;
        }
        Iterator<?> others = right.iterator();
        return left.stream().allMatch(item -> equal(item, others.next(), meter));
    }

    private static boolean equalFields(Map<?, ?> left, Map<?, ?> right, Meter meter) {
        return left.size() == right.size() && left.entrySet().stream().allMatch(field ->
                Dicts.contains(right, field.getKey()) && equal(field.getValue(), Dicts.get(right, field.getKey()), meter));
    }

    /// `item in container`.
    static boolean contains(Object container, Object item, Meter meter) {
        return switch (container) {
            case String text -> PythonText.find(text, part(item), 0, meter) >= 0;
            case Markup markup -> PythonText.find(markup.text(), part(item), 0, meter) >= 0;
            case Map<?, ?> fields -> Dicts.contains(fields, item);
            case null -> throw EvaluationError.refused("argument of type 'NoneType' is not iterable");
            case Long ignored -> throw notContainer(container);
            case Boolean ignored -> throw notContainer(container);
            case Double ignored -> throw notContainer(container);
            case BigInteger ignored -> throw notContainer(container);
            default -> elements(container, meter).stream().anyMatch(element -> equal(element, item, meter));
        };
    }

    private static EvaluationError notContainer(Object container) {
        return EvaluationError.refused("argument of type '" + Types.name(container) + "' is not iterable");
    }

    private static String part(Object item) {
        String text = textOf(item);
        if (text == null) {
            throw EvaluationError.refused("'in <string>' requires string as left operand, not " + Types.name(item));
        }
        return text;
    }

    @SuppressWarnings("unchecked")
    private static List<Object> asObjects(List<?> items) {
        return (List<Object>) items;
    }
}
