//! From a syntax tree to facts: one pass, without recursion, however deep the code is nested.

use crate::bind;
use crate::fact::{short, Arg, Fact, Kind, ARGS};
use crate::imports;
use crate::language::Language;
use crate::resolve::Resolver;
use crate::shell;
use tree_sitter::{Node, Tree};

/// Nodes inside a call's arguments that are looked at for names.
const MENTION_NODES: usize = 400;
/// Names of a call's arguments that are kept.
const MENTIONS: usize = 48;

/// Hands each fact of a file to `sink`. Gives whether the whole file was looked at: one that takes too many steps is
/// left in the middle.
pub fn facts(language: Language, tree: &Tree, text: &str, sink: &mut dyn FnMut(Fact)) -> bool {
    let r = Resolver::new(text, language == Language::Go);
    let mut walk = Walk { r, language, handlers: vec![false], above: Vec::new(), route: false, test: Test::No, sink };
    let mut cursor = tree.walk();
    walk.enter(cursor.node());
    loop {
        let node = cursor.node();
        if cursor.goto_first_child() {
            walk.above.push(node);
            walk.enter(cursor.node());
            continue;
        }
        loop {
            walk.leave(cursor.node());
            if cursor.goto_next_sibling() {
                walk.enter(cursor.node());
                break;
            }
            walk.above.pop();
            if !cursor.goto_parent() || walk.r.tired() {
                return !walk.r.tired();
            }
        }
    }
}

struct Walk<'t, 's> {
    r: Resolver<'t>,
    language: Language,
    /// Whether the functions around answer requests, outermost first.
    handlers: Vec<bool>,
    /// The nodes around, outermost first: asking the tree for a parent takes a walk from its root.
    above: Vec<Node<'t>>,
    /// A Rust attribute that makes the next function answer requests.
    route: bool,
    /// What stands behind `#[cfg(test)]` or `#[test]` is not in the program.
    test: Test,
    sink: &'s mut dyn FnMut(Fact),
}

/// Where a walk is with Rust's tests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Test {
    No,
    /// The next item is one.
    Next,
    /// Inside of the node with this id.
    Inside(usize),
}

impl<'t> Walk<'t, '_> {
    fn enter(&mut self, node: Node<'t>) {
        if !node.is_named() {
            return;
        }
        let kind = node.kind();
        if self.language == Language::Shell {
            return shell::facts(self.r.text, node, self.sink);
        }
        if self.test == Test::Next
            && !matches!(kind, "attribute_item" | "line_comment" | "block_comment")
            && !self.in_attribute()
        {
            self.test = Test::Inside(node.id());
        }
        if bind::is_scope(kind) {
            self.enter_scope(node);
        }
        match kind {
            "call" | "call_expression" | "new_expression" | "composite_literal" | "macro_invocation"
            | "print_statement" | "exec_statement" => self.call(node),
            "decorator" => self.decorator(node),
            "attribute_item" | "inner_attribute_item" => self.rust_attribute(node),
            "token_tree" => self.tokens(node),
            "import_statement"
            | "import_from_statement"
            | "import_spec"
            | "use_declaration"
            | "extern_crate_declaration"
            | "export_statement" => {
                for module in imports::modules(&self.r, node) {
                    self.emit(Fact::new(Kind::Import, module, line(node)));
                }
            }
            "assignment"
            | "augmented_assignment"
            | "assignment_expression"
            | "assignment_statement"
            | "augmented_assignment_expression" => self.assignment(node),
            "return_statement" => self.gives_back(node, "return"),
            "identifier"
            | "attribute"
            | "member_expression"
            | "selector_expression"
            | "scoped_identifier"
            | "field_expression"
            | "shorthand_property_identifier" => self.reference(node),
            _ => {}
        }
    }

    /// The parts of an attribute are no item.
    fn in_attribute(&self) -> bool {
        self.above.iter().rev().take(8).any(|node| node.kind() == "attribute_item")
    }

    fn leave(&mut self, node: Node<'_>) {
        if self.test == Test::Inside(node.id()) {
            self.test = Test::No;
        }
        if self.language != Language::Shell && bind::is_scope(node.kind()) && node.is_named() {
            self.r.names.leave();
            self.handlers.pop();
        }
    }

    fn emit(&mut self, fact: Fact) {
        if matches!(self.test, Test::Inside(_)) {
            return;
        }
        let handler = fact.handler || self.handlers.last().copied().unwrap_or_default();
        (self.sink)(Fact { handler, ..fact });
    }

    fn enter_scope(&mut self, node: Node<'_>) {
        let above = self.above.last().copied();
        let route = node.kind() == "function_item" && std::mem::take(&mut self.route);
        let handler = self.handlers.last().copied().unwrap_or_default() || route || is_handler(&self.r, node, above);
        let handed_to = self.handed_to();
        self.handlers.push(handler);
        self.r.names.enter();
        bind::scope(&mut self.r, node, handed_to.unwrap_or_default());
        if let Some(name) = node.child_by_field_name("name") {
            self.emit(Fact::new(Kind::Define, self.r.text(name), line(node)));
        }
        if matches!(node.kind(), "closure_expression") {
            if let (Some(method), Some(body)) = (handed_to, node.child_by_field_name("body")) {
                let mentions = self.mentions(body);
                self.emit(Fact { mentions, ..Fact::new(Kind::Return, method, line(node)) });
            }
        }
    }

    /// The method that a function is an argument of.
    fn handed_to(&self) -> Option<&'t str> {
        let call = self.above.len().checked_sub(2).map(|at| self.above[at])?;
        let text = self.r.text(call.child_by_field_name("function")?);
        Some(text.rsplit(['.', ':']).next().unwrap_or(text))
    }

    fn call(&mut self, node: Node<'_>) {
        let field = |name: &str| node.child_by_field_name(name);
        let (names, arguments) = match node.kind() {
            "print_statement" => (vec!["print".to_string()], Some(node)),
            "exec_statement" => (vec!["exec".to_string()], Some(node)),
            "composite_literal" => (self.r.path(node), field("body")),
            "macro_invocation" => {
                let names = field("macro").map(|name| self.r.path(name)).unwrap_or_default();
                let tree = node.named_child_count().checked_sub(1).and_then(|last| node.named_child(last));
                (names.into_iter().map(|name| format!("{name}!")).collect(), tree)
            }
            _ => {
                let callee = field("function").or_else(|| field("constructor"));
                (callee.map(|callee| self.r.path(callee)).unwrap_or_default(), field("arguments"))
            }
        };
        self.required(node, &names);
        let raw = field("function").or_else(|| field("macro")).map_or("", |callee| self.r.text(callee));
        let raw: String = short(raw).split_whitespace().collect();
        if names.is_empty() && raw.is_empty() {
            return;
        }
        let args = arguments.map(|list| self.args(list)).unwrap_or_default();
        let mentions = arguments.map(|list| self.mentions(list)).unwrap_or_default();
        let fact = Fact { names, raw, args, mentions, ..Fact::new(Kind::Call, "", line(node)) };
        self.emit(fact);
    }

    /// `require("m")` and `importlib.import_module("m")` import.
    fn required(&mut self, node: Node<'_>, names: &[String]) {
        let imports = |name: &String| matches!(name.as_str(), "require" | "__import__" | "importlib.import_module");
        let dynamic = node.child_by_field_name("function").is_some_and(|callee| callee.kind() == "import");
        if dynamic || names.iter().any(imports) {
            if let Some(name) = self.r.first_literal(node) {
                self.emit(Fact::new(Kind::Import, crate::resolve::module(name), line(node)));
            }
        }
    }

    fn args(&self, list: Node<'_>) -> Vec<Arg> {
        let mut cursor = list.walk();
        let parts = list.named_children(&mut cursor).filter(|part| !part.is_extra()).take(ARGS);
        parts.enumerate().map(|(at, part)| self.arg(at, part)).collect()
    }

    /// By name where it has one: `key=value` of Python, `Key: value` of Go, `key: value` of a JavaScript object.
    fn arg(&self, at: usize, part: Node<'_>) -> Arg {
        let named = match part.kind() {
            "keyword_argument" => part.child_by_field_name("name").zip(part.child_by_field_name("value")),
            "keyed_element" | "pair" => part.child_by_field_name("key").zip(part.child_by_field_name("value")),
            _ => None,
        };
        match named {
            Some((name, value)) => Arg { name: short(self.r.text(name)), text: short(self.r.text(value)) },
            None => Arg { name: at.to_string(), text: short(self.r.text(part)) },
        }
    }

    /// Names in a subtree, functions inside it left out.
    fn mentions(&self, root: Node<'_>) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let mut cursor = root.walk();
        let mut more = true;
        let mut left = MENTION_NODES;
        while more && left > 0 && found.len() < MENTIONS {
            left -= 1;
            let node = cursor.node();
            let name = matches!(
                node.kind(),
                "identifier"
                    | "attribute"
                    | "member_expression"
                    | "selector_expression"
                    | "field_expression"
                    | "call"
                    | "call_expression"
                    | "scoped_identifier"
                    | "shorthand_property_identifier"
            );
            if name {
                for path in self.r.path(node) {
                    if !found.contains(&path) {
                        found.push(path);
                    }
                }
            }
            let inside = (!bind::is_scope(node.kind()) || node == root) && cursor.goto_first_child();
            more = inside || (node != root && cursor.goto_next_sibling()) || bind::up(&mut cursor);
        }
        found
    }

    fn decorator(&mut self, node: Node<'_>) {
        let Some(inner) = node.named_child(0) else { return };
        let called = matches!(inner.kind(), "call" | "call_expression");
        let callee = if called { inner.child_by_field_name("function").unwrap_or(inner) } else { inner };
        let args = inner.child_by_field_name("arguments").map(|list| self.args(list)).unwrap_or_default();
        let above = self.above.last().copied();
        let definition = above.and_then(|parent| parent.child_by_field_name("definition"));
        let handler = definition.is_some_and(|definition| is_handler(&self.r, definition, above));
        let names = self.r.path(callee);
        self.emit(Fact { names, args, handler, ..Fact::new(Kind::Decorator, self.r.text(callee), line(node)) });
    }

    /// `#[tracing::instrument]`
    fn rust_attribute(&mut self, node: Node<'_>) {
        let Some(name) = node.named_child(0).and_then(|attribute| attribute.named_child(0)) else { return };
        let names = self.r.path(name);
        self.route |= is_route(self.r.text(name));
        let text: String = self.r.text(node).split_whitespace().collect();
        let outer = node.kind() == "attribute_item" && self.test == Test::No;
        if outer && (text == "#[cfg(test)]" || matches!(self.r.text(name), "test" | "tokio::test")) {
            self.test = Test::Next;
        }
        self.emit(Fact { names, ..Fact::new(Kind::Decorator, self.r.text(name), line(node)) });
    }

    fn assignment(&mut self, node: Node<'_>) {
        let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right")) else {
            return;
        };
        let plain = left.kind() == "identifier";
        let names = if plain { vec![self.r.text(left).to_string()] } else { self.r.path(left) };
        if !names.is_empty() {
            let args = vec![Arg { name: "0".into(), text: short(self.r.text(right)) }];
            let mentions = self.mentions(right);
            self.emit(Fact { names, args, mentions, ..Fact::new(Kind::Assign, "", line(node)) });
        }
    }

    fn gives_back(&mut self, node: Node<'_>, name: &str) {
        if self.language == Language::Python {
            let mentions = self.mentions(node);
            self.emit(Fact { mentions, ..Fact::new(Kind::Return, name, line(node)) });
        }
    }

    /// A function that is not called here, but handed on: `.catch(console.error)`, `map(print, xs)`.
    fn reference(&mut self, node: Node<'_>) {
        let Some(parent) = self.above.last().copied() else { return };
        let value = |field: &str| parent.child_by_field_name(field) == Some(node);
        let handed = match parent.kind() {
            "arguments" | "argument_list" | "array" | "list" | "tuple" | "literal_element" | "jsx_expression"
            | "return_statement" | "expression_list" => true,
            "pair" | "keyword_argument" | "keyed_element" | "default_parameter" | "field_initializer" => value("value"),
            "assignment_pattern" => value("right"),
            "arrow_function" => value("body"),
            "object" => node.kind() == "shorthand_property_identifier",
            _ => false,
        };
        if handed {
            // what a call gave is a value, not a function
            let mut names = self.r.path(node);
            names.retain(|name| !name.ends_with([')', '}', ']']));
            self.emit(Fact { names, ..Fact::new(Kind::Call, "", line(node)) });
        }
    }

    /// Calls among the tokens of a Rust macro, which no parser makes a tree of: `select! { _ = f => println!("x") }`.
    fn tokens(&mut self, tree: Node<'_>) {
        let mut cursor = tree.walk();
        let children: Vec<Node<'_>> = tree.children(&mut cursor).collect();
        let mut chain = String::new();
        for (at, child) in children.iter().enumerate() {
            match child.kind() {
                "identifier" | "crate" | "self" | "::" | "." => {
                    let after_name = chain.ends_with(|c: char| c.is_alphanumeric() || c == '_');
                    if after_name && child.is_named() || chain.len() > 200 {
                        chain.clear();
                    }
                    chain += self.r.text(*child);
                }
                "!" => chain.push('!'),
                "token_tree" if !chain.is_empty() => {
                    self.token_call(&chain, *child);
                    let goes_on = children.get(at + 1).is_some_and(|next| next.kind() == ".");
                    if goes_on {
                        chain += "()";
                    } else {
                        chain.clear();
                    }
                }
                _ => chain.clear(),
            }
        }
    }

    fn token_call(&mut self, chain: &str, arguments: Node<'_>) {
        let end = chain.find(['.', ':', '!']).unwrap_or(chain.len());
        let names = self.r.names.look(&chain[..end]).into_iter().map(|first| first + &chain[end..]).collect();
        let args = vec![Arg { name: "0".into(), text: short(self.r.text(arguments)) }];
        let mentions = self.mentions(arguments);
        self.emit(Fact { names, args, mentions, ..Fact::new(Kind::Call, chain, line(arguments)) });
    }
}

/// Counted from 1.
pub fn line(node: Node<'_>) -> u32 {
    u32::try_from(node.start_position().row).unwrap_or(u32::MAX).saturating_add(1)
}

/// `app.get`, `#[post]`
fn is_route(text: &str) -> bool {
    let text = text.split('(').next().unwrap_or(text).trim();
    let verb = text.rsplit(['.', '[', ':', '@']).next().unwrap_or(text).trim_end_matches(']');
    matches!(
        verb,
        "route" | "get" | "post" | "put" | "delete" | "patch" | "head" | "websocket" | "api_view" | "endpoint"
    )
}

/// Whether a function answers requests: by its decorators, or by what it is given.
fn is_handler(r: &Resolver<'_>, function: Node<'_>, above: Option<Node<'_>>) -> bool {
    if let Some(outer) = above.filter(|parent| parent.kind() == "decorated_definition") {
        let mut cursor = outer.walk();
        if outer.named_children(&mut cursor).any(|child| child.kind() == "decorator" && is_route(r.text(child))) {
            return true;
        }
    }
    let Some(parameters) = function.child_by_field_name("parameters") else { return false };
    let text = short(r.text(parameters));
    let words: Vec<&str> = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let has = |names: &[&str]| words.iter().any(|word| names.contains(word));
    has(&["request", "req", "Request", "HttpRequest", "ResponseWriter", "Json", "Query", "Form", "Multipart"])
        || has(&["ctx"]) && function.kind() != "function_item"
        || ["gin.Context", "echo.Context", "fiber.Ctx"].iter().any(|name| text.contains(name))
}
