//! Which names get which values in one function or file.

use crate::imports;
use crate::names::ERROR;
use crate::resolve::Resolver;
use tree_sitter::Node;

/// Nodes of a pattern that are looked at.
const PATTERN_NODES: usize = 200;

/// Functions: names of their own.
pub fn is_scope(kind: &str) -> bool {
    matches!(
        kind,
        "module"
            | "program"
            | "source_file"
            | "function_definition"
            | "function_declaration"
            | "function_expression"
            | "generator_function"
            | "generator_function_declaration"
            | "arrow_function"
            | "method_definition"
            | "lambda"
            | "function_item"
            | "closure_expression"
            | "func_literal"
            | "method_declaration"
    )
}

/// Fills the innermost scope with what the function (or file) `scope` binds, functions inside it left out. `handed_to`
/// is the method that the function is an argument of.
pub fn scope(resolver: &mut Resolver<'_>, scope: Node<'_>, handed_to: &str) {
    parameters(
        resolver,
        scope,
        matches!(handed_to, "catch" | "map_err" | "or_else" | "unwrap_or_else" | "inspect_err"),
    );
    let mut cursor = scope.walk();
    let mut more = cursor.goto_first_child();
    while more {
        let node = cursor.node();
        statement(resolver, node);
        // a class is no function: in Python its body has a scope of its own, which methods do not see, but self.x does
        let inside = !is_scope(node.kind()) && cursor.goto_first_child();
        more = inside || cursor.goto_next_sibling() || up(&mut cursor);
    }
}

/// To the next node that was not visited; the cursor never leaves the node it began with.
pub fn up(cursor: &mut tree_sitter::TreeCursor<'_>) -> bool {
    while cursor.goto_parent() {
        if cursor.goto_next_sibling() {
            return true;
        }
    }
    false
}

fn statement(r: &mut Resolver<'_>, node: Node<'_>) {
    let field = |name: &str| node.child_by_field_name(name);
    match node.kind() {
        "import_statement"
        | "import_from_statement"
        | "import_spec"
        | "use_declaration"
        | "extern_crate_declaration" => {
            imports::bind(r, node);
        }
        "assignment" | "assignment_expression" | "short_var_declaration" | "assignment_statement" => {
            value(r, field("left"), field("right"), field("type"));
        }
        "named_expression" | "variable_declarator" | "var_spec" | "const_spec" => {
            value(r, field("name"), field("value"), field("type"));
        }
        "let_declaration" | "let_condition" => value(r, field("pattern"), field("value"), field("type")),
        "as_pattern" => value(r, field("alias"), node.named_child(0), None),
        "except_clause" => caught(r, node),
        "catch_clause" => errors(r, field("parameter")),
        "for_statement" | "for_in_statement" | "for_in_clause" | "range_clause" | "for_expression" => {
            let target = field("left").or_else(|| field("pattern"));
            value(r, target, None, None);
        }
        "match_arm" => arm(r, field("pattern")),
        "function_definition"
        | "function_declaration"
        | "class_definition"
        | "class_declaration"
        | "function_item"
        | "generator_function_declaration" => {
            if let Some(name) = field("name") {
                let name = r.text(name);
                r.names.bind(name, Vec::new());
            }
        }
        _ => {}
    }
}

/// `except E as e`, in both forms that the grammar has.
fn caught(r: &mut Resolver<'_>, node: Node<'_>) {
    errors(r, node.child_by_field_name("alias"));
    let mut cursor = node.walk();
    let patterns: Vec<Node<'_>> = node.named_children(&mut cursor).filter(|n| n.kind() == "as_pattern").collect();
    for pattern in patterns {
        errors(r, pattern.child_by_field_name("alias"));
    }
}

/// `Err(e) =>`
fn arm(r: &mut Resolver<'_>, pattern: Option<Node<'_>>) {
    let Some(pattern) = pattern else { return };
    let text = r.text(pattern);
    if text.starts_with("Err(") {
        errors(r, Some(pattern));
    } else {
        value(r, Some(pattern), None, None);
    }
}

fn errors(r: &mut Resolver<'_>, pattern: Option<Node<'_>>) {
    for name in pattern.map(|node| names(r, node)).unwrap_or_default() {
        r.names.bind(name, vec![ERROR.into()]);
    }
}

/// `left = right`, with a type where there is no value.
fn value(r: &mut Resolver<'_>, left: Option<Node<'_>>, right: Option<Node<'_>>, kind: Option<Node<'_>>) {
    let Some(left) = left else { return };
    let mut values = right.map(|node| r.path(node)).unwrap_or_default();
    if values.is_empty() {
        values = kind.map(|node| instance(r, node)).unwrap_or_default();
    }
    match left.kind() {
        "attribute" | "member_expression" => {
            let name = r.text(left);
            if !values.is_empty() && name.len() < 80 && (name.starts_with("self.") || name.starts_with("this.")) {
                r.names.bind_member(name.to_string(), values);
            }
        }
        "object_pattern" => destructured(r, left, &values),
        _ => {
            for (at, name) in names(r, left).into_iter().enumerate() {
                // a, err := f(): the first name is what the function is for
                r.names.bind(name, if at == 0 { values.clone() } else { Vec::new() });
            }
        }
    }
}

/// `const { log, error: e } = console`
fn destructured(r: &mut Resolver<'_>, pattern: Node<'_>, of: &[String]) {
    let mut cursor = pattern.walk();
    let parts: Vec<Node<'_>> = pattern.named_children(&mut cursor).take(PATTERN_NODES).collect();
    for part in parts {
        let (key, target) = match part.kind() {
            "pair_pattern" => (part.child_by_field_name("key"), part.child_by_field_name("value")),
            "object_assignment_pattern" => (part.child_by_field_name("left"), part.child_by_field_name("left")),
            _ => (Some(part), Some(part)),
        };
        let (Some(key), Some(target)) = (key, target) else { continue };
        let key = r.text(key).trim_matches(['"', '\'']);
        let values: Vec<String> = of
            .iter()
            .map(|path| match (key, path.is_empty()) {
                ("default", _) => path.clone(),
                (_, true) => key.to_string(),
                _ => format!("{path}.{key}"),
            })
            .collect();
        for name in names(r, target) {
            r.names.bind(name, values.clone());
        }
    }
}

/// A value of a type: `logging.Logger()`.
fn instance(r: &Resolver<'_>, kind: Node<'_>) -> Vec<String> {
    r.path(kind).into_iter().filter(|path| path.contains(['.', ':'])).map(|path| format!("{path}()")).collect()
}

/// `erring`: what the function is given is an error.
fn parameters(r: &mut Resolver<'_>, scope: Node<'_>, erring: bool) {
    let list = scope.child_by_field_name("parameters").or_else(|| scope.child_by_field_name("parameter"));
    let Some(list) = list else { return };
    let mut cursor = list.walk();
    let parts: Vec<Node<'_>> = match list.kind() {
        "identifier" => vec![list],
        _ => list.named_children(&mut cursor).take(PATTERN_NODES).collect(),
    };
    for part in parts {
        let kind = part.child_by_field_name("type");
        let value = kind.map(|node| instance(r, node)).unwrap_or_default();
        for name in names(r, part) {
            let error = erring || matches!(name, "err" | "error");
            r.names.bind(name, if error { vec![ERROR.into()] } else { value.clone() });
        }
    }
}

/// The names that a pattern binds.
fn names<'t>(r: &Resolver<'t>, pattern: Node<'_>) -> Vec<&'t str> {
    let (mut todo, mut found) = (vec![pattern], Vec::new());
    let mut left = PATTERN_NODES;
    while let Some(node) = todo.pop() {
        left -= 1;
        if left == 0 {
            break;
        }
        let part = match node.kind() {
            "identifier" | "shorthand_property_identifier_pattern" => {
                found.push(r.text(node));
                continue;
            }
            "default_parameter" | "typed_default_parameter" => node.child_by_field_name("name"),
            "assignment_pattern" | "object_assignment_pattern" => node.child_by_field_name("left"),
            "pair_pattern" => node.child_by_field_name("value"),
            "required_parameter" | "optional_parameter" | "parameter" => node.child_by_field_name("pattern"),
            "attribute"
            | "member_expression"
            | "selector_expression"
            | "subscript"
            | "subscript_expression"
            | "index_expression"
            | "field_expression"
            | "call"
            | "call_expression" => continue,
            _ => None,
        };
        match part {
            Some(part) => todo.push(part),
            None => {
                let kind = node.child_by_field_name("type");
                let mut cursor = node.walk();
                let mut parts: Vec<Node<'_>> = node.named_children(&mut cursor).take(PATTERN_NODES).collect();
                parts.retain(|part| Some(*part) != kind);
                parts.reverse();
                todo.extend(parts);
            }
        }
    }
    found
}
