//! From a node of the syntax tree to the names that it may stand for.

use crate::names::{Names, ERROR, NAME_BYTES};
use std::cell::Cell;
use tree_sitter::Node;

/// Links of a chain `a.b().c()` that are followed.
const DEPTH: u32 = 48;
/// Bytes of a text argument that becomes part of a name: `getLogger("werkzeug")`.
const LITERAL_BYTES: usize = 60;

/// Steps that one file may take: code as people write it takes about one step for each byte.
const STEPS: u32 = 10_000_000;

/// A file's text and its names.
pub struct Resolver<'t> {
    pub text: &'t str,
    pub names: Names,
    /// In Go, errors are told by their name: `err`.
    pub go: bool,
    left: Cell<u32>,
}

impl<'t> Resolver<'t> {
    pub fn new(text: &'t str, go: bool) -> Self {
        Self { text, names: Names::default(), go, left: Cell::new(STEPS) }
    }

    pub fn text(&self, node: Node<'_>) -> &'t str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    /// Whether the file has taken more steps than it may.
    pub fn tired(&self) -> bool {
        self.left.get() == 0
    }

    /// The names a node may stand for; none when it is no name, or one that says nothing.
    pub fn path(&self, node: Node<'_>) -> Vec<String> {
        let mut paths = self.walk(node, DEPTH);
        paths.retain(|path| path.len() <= NAME_BYTES);
        paths
    }

    fn walk(&self, node: Node<'_>, depth: u32) -> Vec<String> {
        let (Some(depth), Some(left)) = (depth.checked_sub(1), self.left.get().checked_sub(1)) else {
            return Vec::new();
        };
        self.left.set(left);
        let field = |name: &str| node.child_by_field_name(name);
        let follow = |name: &str| field(name).map(|node| self.walk(node, depth)).unwrap_or_default();
        match node.kind() {
            "identifier"
            | "type_identifier"
            | "package_identifier"
            | "shorthand_property_identifier"
            | "self"
            | "this"
            | "crate"
            | "super" => self.identifier(self.text(node)),
            "field_identifier" | "property_identifier" => vec![self.text(node).to_string()],
            "dotted_name" => self.dotted(self.text(node)),
            "attribute" if field("object").is_some() => self.member(node, "object", "attribute", depth),
            "member_expression" => self.member(node, "object", "property", depth),
            "selector_expression" => self.member(node, "operand", "field", depth),
            "field_expression" => self.member(node, "value", "field", depth),
            "qualified_type" => self.member(node, "package", "name", depth),
            "scoped_identifier" | "scoped_type_identifier" => self.scoped(node, depth),
            "subscript_expression" => self.subscript(node, depth),
            "subscript" => follow("value").into_iter().map(|path| format!("{path}[]")).collect(),
            "index_expression" => follow("operand").into_iter().map(|path| format!("{path}[]")).collect(),
            "call" | "call_expression" | "new_expression" => self.called(node, depth),
            "macro_invocation" => follow("macro").into_iter().map(|path| format!("{path}!()")).collect(),
            "composite_literal" => follow("type").into_iter().map(|path| format!("{path}{{}}")).collect(),
            "generic_function" => follow("function"),
            "generic_type" | "reference_type" | "generic_type_with_turbofish" => follow("type"),
            "reference_expression" => follow("value"),
            "unary_expression" if field("operand").is_some() => follow("operand"),
            "type_assertion_expression" => follow("operand"),
            "conditional_expression" | "ternary_expression" | "boolean_operator" | "binary_expression" => {
                self.either(node, depth)
            }
            "parenthesized_expression"
            | "await"
            | "await_expression"
            | "try_expression"
            | "as_expression"
            | "non_null_expression"
            | "satisfies_expression"
            | "type"
            | "pointer_type"
            | "expression_list"
            | "type_annotation"
            | "keyword_argument" => {
                let inner = field("value").or_else(|| node.named_child(0));
                inner.map(|node| self.walk(node, depth)).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    fn identifier(&self, name: &str) -> Vec<String> {
        if self.go && (name == "err" || name.ends_with("Err")) {
            return vec![ERROR.into()];
        }
        let mut found = self.names.look(name);
        for path in &mut found {
            if ["globalThis", "global", "window", "builtins", "__builtins__"].contains(&path.as_str()) {
                path.clear();
            }
        }
        found
    }

    /// `a.b.c`, of which only the first part is a name of this file.
    pub fn dotted(&self, text: &str) -> Vec<String> {
        let (first, rest) = text.split_once('.').map_or((text, ""), |(first, rest)| (first, rest));
        let join = |path: String| if rest.is_empty() { path } else { format!("{path}.{rest}") };
        self.identifier(first).into_iter().map(join).collect()
    }

    fn member(&self, node: Node<'_>, object: &str, property: &str, depth: u32) -> Vec<String> {
        let (Some(object), Some(property)) = (node.child_by_field_name(object), node.child_by_field_name(property))
        else {
            return Vec::new();
        };
        let raw = self.text(node);
        if raw.len() <= NAME_BYTES && (raw.starts_with("self.") || raw.starts_with("this.")) {
            if let Some(values) = self.names.member(raw) {
                return values.clone();
            }
        }
        self.joined(self.walk(object, depth), self.text(property))
    }

    fn joined(&self, mut objects: Vec<String>, property: &str) -> Vec<String> {
        if objects.is_empty() {
            objects.push("?".into());
        }
        let join = |object: String| match (object.is_empty(), property) {
            (true, _) => property.to_string(),
            // import x from "m" and require("m").default are one thing
            (_, "default") => object,
            _ => format!("{object}.{property}"),
        };
        objects.into_iter().map(join).collect()
    }

    fn scoped(&self, node: Node<'_>, depth: u32) -> Vec<String> {
        let Some(name) = node.child_by_field_name("name") else { return Vec::new() };
        let name = self.text(name);
        match node.child_by_field_name("path") {
            None => vec![name.to_string()],
            Some(path) => self.walk(path, depth).into_iter().map(|path| format!("{path}::{name}")).collect(),
        }
    }

    /// `console["log"]`
    fn subscript(&self, node: Node<'_>, depth: u32) -> Vec<String> {
        let (Some(object), Some(index)) = (node.child_by_field_name("object"), node.child_by_field_name("index"))
        else {
            return Vec::new();
        };
        let objects = self.walk(object, depth);
        match self.literal(index) {
            Some(key) => self.joined(objects, key),
            None => objects.into_iter().map(|path| format!("{path}[]")).collect(),
        }
    }

    fn either(&self, node: Node<'_>, depth: u32) -> Vec<String> {
        let mut cursor = node.walk();
        let mut paths = Vec::new();
        for child in node.named_children(&mut cursor).take(3) {
            // of `x ? a : b` and `a if x else b` the condition is no value, but does no harm
            paths.extend(self.walk(child, depth / 2));
        }
        paths
    }

    fn called(&self, node: Node<'_>, depth: u32) -> Vec<String> {
        let callee = node.child_by_field_name("function").or_else(|| node.child_by_field_name("constructor"));
        let Some(callee) = callee else { return Vec::new() };
        if callee.kind() == "import" {
            return self.first_literal(node).map(module).into_iter().collect();
        }
        let literal = self.first_literal(node);
        let call = |path: String| match (path.as_str(), literal) {
            ("require" | "module.createRequire()" | "__import__" | "importlib.import_module", Some(name)) => {
                module(name)
            }
            ("getattr", _) => self.getattr(node, depth).unwrap_or(format!("{path}()")),
            (_, Some(text)) => format!("{path}(\"{text}\")"),
            _ => format!("{path}()"),
        };
        self.walk(callee, depth).into_iter().map(call).collect()
    }

    /// `getattr(logging, "info")`
    fn getattr(&self, node: Node<'_>, depth: u32) -> Option<String> {
        let arguments = node.child_by_field_name("arguments")?;
        let name = self.literal(arguments.named_child(1)?)?;
        let object = self.walk(arguments.named_child(0)?, depth).into_iter().next()?;
        Some(format!("{object}.{name}"))
    }

    /// The first argument, when it is a short text.
    pub fn first_literal(&self, call: Node<'_>) -> Option<&'t str> {
        let arguments = call.child_by_field_name("arguments")?;
        self.literal(arguments.named_child(0)?)
    }

    /// The value of a short text without anything computed in it.
    pub fn literal(&self, node: Node<'_>) -> Option<&'t str> {
        let kinds = ["string", "string_literal", "interpreted_string_literal", "raw_string_literal", "template_string"];
        if !kinds.contains(&node.kind()) {
            return None;
        }
        let mut cursor = node.walk();
        if node
            .named_children(&mut cursor)
            .any(|child| matches!(child.kind(), "interpolation" | "template_substitution"))
        {
            return None;
        }
        let text = self.text(node);
        let open = text.find(['"', '\'', '`'])?;
        let text = text[open..].trim_matches(['"', '\'', '`', '#']);
        (text.len() <= LITERAL_BYTES && !text.contains(['\n', '(', ')'])).then_some(text)
    }
}

/// A module's name: Node's own with and without `node:`.
pub fn module(name: &str) -> String {
    name.strip_prefix("node:").unwrap_or(name).to_string()
}
