package dev.sluice.text.template;

import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/// Knows which variables Jinja hides from a body until the body assigns them.
///
/// Jinja decides by the text, before anything runs: a body (of the template, a loop, a macro, ...) that assigns a name,
/// without reading it first and without a body around it that mentions it, owns the name from its beginning. Until the
/// assignment the name is undefined there and in the bodies inside, whatever value the context has for it. Assigning in
/// only some branches of an `if` does not count.
final class Frames {

    /// Names that one body mentions: true where it owns the name.
    private static final class Names {

        private final Names outer;
        private final Map<String, Boolean> owned = new HashMap<>();
        private final Set<String> stored = new HashSet<>();

        Names(Names outer) {
            this.outer = outer;
        }

        Names branch() {
            var copy = new Names(outer);
            copy.owned.putAll(owned);
            copy.stored.addAll(stored);
            return copy;
        }

        boolean mentions(String name) {
            return owned.containsKey(name) || outer != null && outer.mentions(name);
        }

        void define(String name) {
            owned.put(name, false);
        }

        void load(String name) {
            if (!mentions(name)) {
                owned.put(name, false);
            }
        }

        void store(String name) {
            stored.add(name);
            if (!owned.containsKey(name)) {
                owned.put(name, outer == null || !outer.mentions(name));
            }
        }

        void join(List<Names> branches) {
            var before = Set.copyOf(stored);
            for (Names branch : branches) {
                owned.putAll(branch.owned);
                stored.addAll(branch.stored);
            }
            stored.stream().filter(name -> !before.contains(name))
                    .filter(name -> !branches.stream().allMatch(branch -> branch.stored.contains(name)))
                    .forEach(this::define);
        }
    }

    private final Map<List<Node>, Set<String>> hidden = new IdentityHashMap<>();

    static Frames of(List<Node> template) {
        var frames = new Frames();
        frames.frame(template, new Names(null));
        return frames;
    }

    /// A scope for the body, with the names that it hides.
    Scope enter(List<Node> body, Scope outer) {
        Scope scope = outer.inner();
        for (String name : hidden.getOrDefault(body, Set.of())) {
            scope.set(name, Undefined.variable(name));
        }
        return scope;
    }

    private void frame(List<Node> body, Names names) {
        visit(body, names);
        Set<String> own = new HashSet<>();
        names.owned.forEach((name, owns) -> {
            if (owns) {
                own.add(name);
            }
        });
        if (!own.isEmpty()) {
            hidden.put(body, own);
        }
        body.forEach(node -> inner(node, names));
    }

    private static void visit(List<Node> body, Names names) {
        for (Node node : body) {
            switch (node) {
                case Node.Print print -> load(print.value(), names);
                case Node.If condition -> branches(condition, names);
                case Node.For loop -> load(loop.items(), names);
                case Node.Assign assign -> {
                    load(assign.value(), names);
                    store(assign.target(), names);
                }
                case Node.Capture capture -> store(capture.target(), names);
                case Node.FilterBlock block -> load(block.value(), names);
                case Node.With with -> with.assignments().forEach(it -> load(it.value(), names));
                case Node.MacroDefinition macro -> names.store(macro.signature().name());
                case Node.CallBlock call -> load(call.call(), names);
                case Node.Text ignored -> { }
                case Node.Break ignored -> { }
                case Node.Continue ignored -> { }
                case Node.Generation ignored -> { }
            }
        }
    }

    /// Jinja sees three branches in any `if`: the first, all `elif` together, and `else`.
    private static void branches(Node.If condition, Names names) {
        load(condition.branches().getFirst().condition(), names);
        Names first = names.branch();
        visit(condition.branches().getFirst().body(), first);
        Names others = names.branch();
        for (Node.Branch branch : condition.branches().subList(1, condition.branches().size())) {
            load(branch.condition(), others);
            Names other = others.branch();
            visit(branch.body(), other);
            others.join(List.of(other, others.branch()));
        }
        Names otherwise = names.branch();
        visit(condition.otherwise(), otherwise);
        names.join(List.of(first, others, otherwise));
    }

    private void inner(Node node, Names outer) {
        switch (node) {
            case Node.If condition -> Stream.concat(condition.branches().stream().map(Node.Branch::body),
                    Stream.of(condition.otherwise())).flatMap(List::stream).forEach(it -> inner(it, outer));
            case Node.For loop -> loop(loop, outer);
            case Node.Capture capture -> frame(capture.body(), new Names(outer));
            case Node.FilterBlock block -> frame(block.body(), new Names(outer));
            case Node.With with -> {
                var names = new Names(outer);
                with.assignments().forEach(it -> define(it.target(), names));
                frame(with.body(), names);
            }
            case Node.MacroDefinition macro -> macro(macro.signature(), macro.body(), outer);
            case Node.CallBlock call -> macro(call.signature(), call.body(), outer);
            case Node.Generation generation -> frame(generation.body(), new Names(outer));
            case Node.Text ignored -> { }
            case Node.Print ignored -> { }
            case Node.Assign ignored -> { }
            case Node.Break ignored -> { }
            case Node.Continue ignored -> { }
        }
    }

    private void loop(Node.For loop, Names outer) {
        var names = new Names(outer);
        define(loop.target(), names);
        names.define("loop");
        frame(loop.body(), names);
        frame(loop.otherwise(), new Names(outer));
    }

    private void macro(Node.Signature signature, List<Node> body, Names outer) {
        var names = new Names(outer);
        signature.parameters().forEach(names::define);
        Stream.of("caller", "kwargs", "varargs").filter(signature.names()::contains).forEach(names::define);
        signature.defaults().forEach(it -> load(it, names));
        frame(body, names);
    }

    private static void define(Node.Target target, Names names) {
        switch (target) {
            case Node.Target.Variable(var name) -> names.define(name);
            case Node.Target.Member(var namespace, var ignored) -> names.load(namespace);
            case Node.Target.Several(var targets) -> targets.forEach(it -> define(it, names));
        }
    }

    private static void store(Node.Target target, Names names) {
        switch (target) {
            case Node.Target.Variable(var name) -> names.store(name);
            case Node.Target.Member(var namespace, var ignored) -> names.load(namespace);
            case Node.Target.Several(var targets) -> targets.forEach(it -> store(it, names));
        }
    }

    private static void load(Expr expr, Names names) {
        ExprNames.of(expr).forEach(names::load);
    }
}
