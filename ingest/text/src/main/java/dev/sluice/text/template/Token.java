package dev.sluice.text.template;

/// @param text  the name, the operator or the literal text
/// @param value value of a literal: text, Long, BigInteger or Double
record Token(Type type, String text, Object value, Position at) {

    enum Type {
        DATA, BLOCK_BEGIN, BLOCK_END, PRINT_BEGIN, PRINT_END, NAME, TEXT, NUMBER, OPERATOR, END
    }

    boolean isName(String name) {
        return type == Type.NAME && text.equals(name);
    }

    boolean isOperator(String operator) {
        return type == Type.OPERATOR && text.equals(operator);
    }

    String describe() {
        return switch (type) {
            case DATA -> "text";
            case BLOCK_BEGIN -> "'{%'";
            case BLOCK_END -> "'%}'";
            case PRINT_BEGIN -> "'{{'";
            case PRINT_END -> "'}}'";
            case NAME, OPERATOR -> "'" + text + "'";
            case TEXT -> "a string";
            case NUMBER -> "a number";
            case END -> "the end of the template";
        };
    }
}
