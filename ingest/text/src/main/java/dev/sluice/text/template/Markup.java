package dev.sluice.text.template;

/// Text marked by `safe` or `escape`: text joined to it is HTML-escaped, as in Jinja.
record Markup(String text) {

    static Markup escape(Object value, Meter meter) {
        if (value instanceof Markup markup) {
            return markup;
        }
        String text = Printer.str(value, meter);
        meter.characters(text.length());
        return new Markup(text.replace("&", "&amp;").replace(">", "&gt;").replace("<", "&lt;").replace("'", "&#39;")
                .replace("\"", "&#34;"));
    }
}
