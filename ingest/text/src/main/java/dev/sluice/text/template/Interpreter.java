package dev.sluice.text.template;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;

/// Runs the statements of one rendering.
final class Interpreter {

    /// How a statement ended.
    private enum Flow { NEXT, BREAK, CONTINUE }

    private final Frames frames;
    private final Meter meter;
    private final Evaluator evaluator;
    private final StringBuilder root = new StringBuilder();
    private final List<int[]> generated = new ArrayList<>();
    private boolean generating;

    Interpreter(Frames frames, Meter meter) {
        this.frames = frames;
        this.meter = meter;
        evaluator = new Evaluator(meter);
    }

    Rendering run(List<Node> template, Scope scope) {
        body(template, frames.enter(template, scope), root);
        return new Rendering(root.toString(), spans());
    }

    private List<Span> spans() {
        var spans = new ArrayList<Span>();
        int unit = 0;
        int codePoint = 0;
        for (int[] span : generated) {
            int start = codePoint + root.codePointCount(unit, span[0]);
            codePoint = start + root.codePointCount(span[0], span[1]);
            unit = span[1];
            spans.add(new Span(start, codePoint));
        }
        return spans;
    }

    Object evaluate(Expr expr, Scope scope) {
        return evaluator.evaluate(expr, scope);
    }

    /// The scope of a macro's body, without its arguments.
    Scope enter(List<Node> body, Scope closure) {
        return frames.enter(body, closure);
    }

    String runMacro(List<Node> body, Scope scope) {
        meter.enter();
        String text = captured(body, scope);
        meter.leave();
        return text;
    }

    private String captured(List<Node> body, Scope scope) {
        var out = new StringBuilder();
        body(body, scope, out);
        return out.toString();
    }

    private Flow body(List<Node> nodes, Scope scope, StringBuilder out) {
        for (Node node : nodes) {
            meter.step();
            Flow flow = run(node, scope, out);
            if (flow != Flow.NEXT) {
                return flow;
            }
        }
        return Flow.NEXT;
    }

    private Flow run(Node node, Scope scope, StringBuilder out) {
        switch (node) {
            case Node.Text text -> append(out, text.text());
            case Node.Print print -> print(print.value(), scope, out);
            case Node.If condition -> {
                return body(chosen(condition, scope), scope, out);
            }
            case Node.For loop -> at(loop.at(), () -> loop(loop, scope, evaluate(loop.items(), scope), 0, out));
            case Node.Break ignored -> {
                return Flow.BREAK;
            }
            case Node.Continue ignored -> {
                return Flow.CONTINUE;
            }
            case Node.Assign assign -> at(assign.at(), () -> assign(assign.target(), evaluate(assign.value(), scope), scope));
            case Node.Capture capture -> at(capture.at(), () -> assign(capture.target(),
                    filtered(capture.value(), capture.body(), scope), scope));
            case Node.FilterBlock block -> append(out, Printer.str(filtered(block.value(), block.body(), scope), meter));
            case Node.With with -> with(with, scope, out);
            case Node.MacroDefinition macro -> scope.set(macro.signature().name(),
                    new Macro(macro.signature(), macro.body(), scope, this));
            case Node.CallBlock call -> at(call.at(), () -> call(call, scope, out));
            case Node.Generation generation -> at(generation.at(), () -> generation(generation, scope, out));
        }
        return Flow.NEXT;
    }

    private static void at(Position position, Runnable action) {
        try {
            action.run();
        } catch (EvaluationError e) {
            throw e.at(position);
        }
    }

    private void append(StringBuilder out, String text) {
        meter.output(out.length(), text.length());
        out.append(text);
    }

    private void print(Expr expr, Scope scope, StringBuilder out) {
        Object value = evaluate(expr, scope);
        at(expr.at(), () -> append(out, Printer.str(value, meter)));
    }

    private List<Node> chosen(Node.If condition, Scope scope) {
        for (Node.Branch branch : condition.branches()) {
            if (Values.truth(evaluate(branch.condition(), scope))) {
                return branch.body();
            }
        }
        return condition.otherwise();
    }

    private void loop(Node.For loop, Scope scope, Object iterable, int depth, StringBuilder out) {
        List<Object> items = kept(loop, Values.elements(iterable, meter), scope);
        Loop.Recursion recursion = !loop.recursive() ? null : (inner, innerDepth) -> {
            meter.enter();
            var text = new StringBuilder();
            loop(loop, scope, inner, innerDepth, text);
            meter.leave();
            return text.toString();
        };
        var variable = new Loop(items, depth, recursion, meter);
        // As in Jinja, and unlike in Python, a round left by break or continue does not count.
        boolean anyWhole = false;
        Flow flow = Flow.NEXT;
        for (int i = 0; i < items.size() && flow != Flow.BREAK; i++) {
            Scope inner = frames.enter(loop.body(), scope);
            variable.moveTo(i);
            inner.set("loop", variable);
            assign(loop.target(), items.get(i), inner);
            flow = body(loop.body(), inner, out);
            anyWhole |= flow == Flow.NEXT;
        }
        if (!anyWhole) {
            body(loop.otherwise(), frames.enter(loop.otherwise(), scope), out);
        }
    }

    private List<Object> kept(Node.For loop, List<Object> items, Scope scope) {
        if (loop.filter() == null) {
            return items;
        }
        var kept = new ArrayList<Object>();
        for (Object item : items) {
            Scope inner = scope.inner();
            assign(loop.target(), item, inner);
            if (Values.truth(evaluate(loop.filter(), inner))) {
                kept.add(item);
            }
        }
        return kept;
    }

    private void assign(Node.Target target, Object value, Scope scope) {
        switch (target) {
            case Node.Target.Variable(var name) -> scope.set(name, value);
            case Node.Target.Member(var name, var attribute) -> {
                if (!(scope.find(name) instanceof Namespace namespace)) {
                    throw EvaluationError.refused("cannot assign attribute on non-namespace object");
                }
                namespace.set(attribute, value);
            }
            case Node.Target.Several(var targets) -> unpack(targets, Values.elements(value, meter), scope);
        }
    }

    private void unpack(List<Node.Target> targets, List<Object> values, Scope scope) {
        if (values.size() != targets.size()) {
            throw EvaluationError.refused(values.size() < targets.size()
                    ? "not enough values to unpack (expected " + targets.size() + ", got " + values.size() + ")"
                    : "too many values to unpack (expected " + targets.size() + ")");
        }
        for (int i = 0; i < targets.size(); i++) {
            assign(targets.get(i), values.get(i), scope);
        }
    }

    private Object filtered(Expr value, List<Node> body, Scope scope) {
        Scope inner = scope.inner();
        inner.set(Node.BODY, captured(body, frames.enter(body, scope)));
        return evaluate(value, inner);
    }

    private void with(Node.With with, Scope scope, StringBuilder out) {
        Scope inner = frames.enter(with.body(), scope);
        // Every value is computed outside of the block, so none sees another.
        with.assignments().forEach(it -> at(it.at(), () -> assign(it.target(), evaluate(it.value(), scope), inner)));
        body(with.body(), inner, out);
    }

    private void call(Node.CallBlock block, Scope scope, StringBuilder out) {
        Object callee = evaluate(block.call().callee(), scope);
        CallArguments arguments = evaluator.arguments(block.call().arguments(), scope);
        var named = new LinkedHashMap<>(arguments.named());
        named.put("caller", new Macro(block.signature(), block.body(), scope, this));
        append(out, Printer.str(Evaluator.call(callee, new CallArguments(arguments.positional(), named)), meter));
    }

    private void generation(Node.Generation generation, Scope scope, StringBuilder out) {
        if (out != root) {
            throw EvaluationError.unsupported("a generation block inside a macro, a call or a captured block, where its place in"
                    + " the text is unknown,");
        }
        int start = root.length();
        boolean outermost = !generating;
        generating = true;
        body(generation.body(), frames.enter(generation.body(), scope), root);
        if (outermost) {
            generating = false;
            generated.add(new int[] {start, root.length()});
        }
    }
}
