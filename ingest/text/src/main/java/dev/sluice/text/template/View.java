package dev.sluice.text.template;

import java.util.List;

/// What `dict.items()`, `.keys()` and `.values()` give: has a length and can be visited, but not indexed.
///
/// @param type Python's name of it, such as `dict_items`
record View(String type, List<Object> items) {}
