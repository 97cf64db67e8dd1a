package dev.sluice.text.template;

import java.util.List;
import java.util.Map;
import java.util.Set;

/// Jinja's `value.name` (an attribute, else an element) and `value[key]` (an element, else an attribute). There are no
/// attributes but those listed here: nothing leads from a value to the machine.
final class Attributes {

    private static final Set<String> DICT_CHANGES = Set.of("clear", "pop", "popitem", "setdefault", "update");
    private static final Set<String> LIST_CHANGES = Set.of("append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort");

    private Attributes() {}

    static Object attribute(Object owner, String name, Meter meter) {
        Object attribute = attributeOrNull(owner, name, meter);
        if (attribute != null) {
            return attribute;
        }
        if (owner instanceof Map<?, ?> fields && fields.containsKey(name)) {
            return fields.get(name);
        }
        return Undefined.attribute(owner, name);
    }

    static Object element(Object owner, Object key, Meter meter) {
        return switch (owner) {
            case Undefined undefined -> throw undefined.fail();
            case Map<?, ?> fields when isKey(key) && Dicts.contains(fields, key) -> Dicts.get(fields, key);
            case String text when Numbers.isInteger(key) -> character(text, key, owner);
            case Markup markup when Numbers.isInteger(key) -> character(markup.text(), key, owner);
            case List<?> items when Numbers.isInteger(key) -> item(items, key, owner);
            case Tuple tuple when Numbers.isInteger(key) -> item(tuple.items(), key, owner);
            case Range range when Numbers.isInteger(key) -> item(range.items(), key, owner);
            case null, default -> elementByName(owner, key, meter);
        };
    }

    private static boolean isKey(Object key) {
        return key == null || Numbers.isNumber(key) || Values.textOf(key) != null;
    }

    private static Object elementByName(Object owner, Object key, Meter meter) {
        if (Values.textOf(key) instanceof String name) {
            Object attribute = attributeOrNull(owner, name, meter);
            return attribute != null ? attribute : Undefined.attribute(owner, name);
        }
        return Undefined.element(owner, key instanceof Undefined ? "Undefined" : Printer.repr(key, meter));
    }

    private static Object character(String text, Object key, Object owner) {
        int length = text.codePointCount(0, text.length());
        int index = index(key, length);
        if (index < 0) {
            return Undefined.element(owner, Numbers.big(key));
        }
        return Character.toString(text.codePointAt(text.offsetByCodePoints(0, index)));
    }

    private static Object item(List<?> items, Object key, Object owner) {
        int index = index(key, items.size());
        return index < 0 ? Undefined.element(owner, Numbers.big(key)) : items.get(index);
    }

    /// The index from the front, or -1 when it is out of range.
    private static int index(Object key, int length) {
        long index = key instanceof Long number ? number : key instanceof Boolean flag && flag ? 1 : key instanceof Boolean ? 0 : length;
        long positive = index < 0 ? index + length : index;
        return positive >= 0 && positive < length ? (int) positive : -1;
    }

    /// The attribute, or null when the value has none of that name.
    private static Object attributeOrNull(Object owner, String name, Meter meter) {
        if (owner instanceof Undefined undefined) {
            throw undefined.fail();
        }
        if (name.startsWith("__") && name.endsWith("__")) {
            return unsafe(owner, name);
        }
        return switch (owner) {
            case Map<?, ?> fields -> DICT_CHANGES.contains(name) ? unsafe(owner, name) : DictMethods.find(fields, name, meter);
            case List<?> items -> LIST_CHANGES.contains(name) ? unsafe(owner, name) : ListMethods.find(items, name, meter);
            case Tuple tuple -> tuple.names().contains(name) ? tuple.items().get(tuple.names().indexOf(name))
                    : name.equals("copy") ? null : ListMethods.find(tuple.items(), name, meter);
            case String text -> StringMethods.find(text, name, meter);
            case Markup markup -> MarkupMethods.find(markup, name, meter);
            case Namespace namespace -> namespace.get(name);
            case Loop loop -> loop.attribute(name);
            case Macro macro -> macro.attribute(name);
            case null, default -> null;
        };
    }

    private static Undefined unsafe(Object owner, String name) {
        return new Undefined("access to attribute '" + name + "' of '" + Types.name(owner) + "' object is unsafe.");
    }
}
