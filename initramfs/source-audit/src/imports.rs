//! What imports bind, and which modules they name, in the four languages.

use crate::resolve::{module, Resolver};
use tree_sitter::Node;

/// Binds the names of an import, use or extern crate.
pub fn bind(r: &mut Resolver<'_>, node: Node<'_>) {
    match node.kind() {
        "import_statement" if node.child_by_field_name("source").is_some() || has_require(node) => javascript(r, node),
        "import_statement" => python_import(r, node),
        "import_from_statement" => python_from(r, node),
        "import_spec" => go(r, node),
        "use_declaration" => {
            for (name, path) in uses(r, node) {
                bind_use(r, &name, path);
            }
        }
        "extern_crate_declaration" => {
            let field = |name: &str| node.child_by_field_name(name).map(|node| r.text(node));
            if let (Some(alias), Some(name)) = (field("alias"), field("name")) {
                r.names.bind(alias, vec![name.to_string()]);
            }
        }
        _ => {}
    }
}

/// The modules an import names, in full: `logging`, `logging.info`.
pub fn modules(r: &Resolver<'_>, node: Node<'_>) -> Vec<String> {
    match node.kind() {
        "import_statement" | "export_statement" if node.child_by_field_name("source").is_some() => {
            node.child_by_field_name("source").and_then(|source| r.literal(source)).map(module).into_iter().collect()
        }
        "import_statement" => listed(node).iter().map(|part| imported(r, *part).0.to_string()).collect(),
        "import_from_statement" => {
            let Some(from) = node.child_by_field_name("module_name").map(|node| r.text(node)) else {
                return Vec::new();
            };
            let inner = listed(node).into_iter().map(|part| format!("{from}.{}", imported(r, part).0));
            std::iter::once(from.to_string()).chain(inner).collect()
        }
        "import_spec" => {
            node.child_by_field_name("path").and_then(|path| r.literal(path)).map(str::to_string).into_iter().collect()
        }
        "use_declaration" => uses(r, node).into_iter().map(|(_, path)| path).collect(),
        "extern_crate_declaration" => {
            node.child_by_field_name("name").map(|node| r.text(node).to_string()).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Children in the field `name`.
fn listed(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.children_by_field_name("name", &mut cursor).collect()
}

/// Name and alias of `a.b as c`.
fn imported<'t>(r: &Resolver<'t>, part: Node<'_>) -> (&'t str, Option<&'t str>) {
    match part.kind() {
        "aliased_import" => {
            let field = |name: &str| part.child_by_field_name(name).map(|node| r.text(node));
            (field("name").unwrap_or_default(), field("alias"))
        }
        _ => (r.text(part), None),
    }
}

fn python_import(r: &mut Resolver<'_>, node: Node<'_>) {
    for part in listed(node) {
        let (name, alias) = imported(r, part);
        // import a.b binds a
        let first = name.split('.').next().unwrap_or(name);
        let (local, value) = alias.map_or((first, first), |alias| (alias, name));
        r.names.bind(local, vec![value.to_string()]);
    }
}

fn python_from(r: &mut Resolver<'_>, node: Node<'_>) {
    let Some(from) = node.child_by_field_name("module_name").map(|node| r.text(node)) else { return };
    for part in listed(node) {
        let (name, alias) = imported(r, part);
        let path = match from.ends_with('.') {
            true => format!("{from}{name}"),
            false => format!("{from}.{name}"),
        };
        r.names.bind(alias.unwrap_or(name), vec![path]);
    }
    let mut cursor = node.walk();
    if node.named_children(&mut cursor).any(|child| child.kind() == "wildcard_import") {
        r.names.star(from.to_string());
    }
}

/// TypeScript's `import x = require("m")`
fn has_require(node: Node<'_>) -> bool {
    let mut cursor = node.walk();
    let found = node.named_children(&mut cursor).any(|child| child.kind() == "import_require_clause");
    found
}

fn javascript(r: &mut Resolver<'_>, node: Node<'_>) {
    let mut cursor = node.walk();
    let clauses: Vec<Node<'_>> = node.named_children(&mut cursor).collect();
    let own = node.child_by_field_name("source").and_then(|source| r.literal(source)).map(module);
    for clause in clauses {
        if clause.kind() == "import_require_clause" {
            let source = clause.child_by_field_name("source").and_then(|source| r.literal(source)).map(module);
            if let (Some(name), Some(source)) = (clause.named_child(0), source) {
                let name = r.text(name);
                r.names.bind(name, vec![source]);
            }
        }
        let Some(source) = &own else { continue };
        if clause.kind() == "import_clause" {
            import_clause(r, clause, source);
        }
    }
}

fn import_clause(r: &mut Resolver<'_>, clause: Node<'_>, source: &str) {
    let mut cursor = clause.walk();
    let parts: Vec<Node<'_>> = clause.named_children(&mut cursor).collect();
    for part in parts {
        match part.kind() {
            "identifier" => r.names.bind(r.text(part), vec![source.to_string()]),
            "namespace_import" => {
                if let Some(name) = part.named_child(0) {
                    let name = r.text(name);
                    r.names.bind(name, vec![source.to_string()]);
                }
            }
            _ => named_imports(r, part, source),
        }
    }
}

fn named_imports(r: &mut Resolver<'_>, list: Node<'_>, source: &str) {
    let mut cursor = list.walk();
    let parts: Vec<Node<'_>> =
        list.named_children(&mut cursor).filter(|part| part.kind() == "import_specifier").collect();
    for part in parts {
        let field = |name: &str| part.child_by_field_name(name).map(|node| r.text(node).trim_matches(['"', '\'']));
        let (Some(name), alias) = (field("name"), field("alias")) else { continue };
        let path = if name == "default" { source.to_string() } else { format!("{source}.{name}") };
        r.names.bind(alias.unwrap_or(name), vec![path]);
    }
}

fn go(r: &mut Resolver<'_>, node: Node<'_>) {
    let Some(path) = node.child_by_field_name("path").and_then(|path| r.literal(path)) else { return };
    match node.child_by_field_name("name").map(|name| r.text(name)) {
        Some(".") => r.names.star(path.to_string()),
        Some("_") => {}
        Some(name) => r.names.bind(name, vec![path.to_string()]),
        None => r.names.bind(package(path), vec![path.to_string()]),
    }
}

/// A package's usual name: `github.com/labstack/echo/v4` → `echo`, `gopkg.in/yaml.v3` → `yaml`, `go-redis` → `redis`.
fn package(path: &str) -> &str {
    let mut parts = path.rsplit('/');
    let mut last = parts.next().unwrap_or(path);
    let version = |part: &str| part.len() > 1 && part.starts_with('v') && part[1..].bytes().all(|b| b.is_ascii_digit());
    if version(last) {
        last = parts.next().unwrap_or(last);
    }
    let last = match last.rsplit_once('.') {
        Some((name, suffix)) if version(suffix) => name,
        _ => last,
    };
    last.strip_prefix("go-").or_else(|| last.strip_suffix("-go")).unwrap_or(last)
}

/// Nodes of a use tree that are looked at.
const USE_NODES: usize = 1000;

/// Local names and full paths of `use a::{b, c as d, e::*}`; a star has the name `*`.
fn uses(r: &Resolver<'_>, node: Node<'_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut todo: Vec<(String, Node<'_>)> =
        node.child_by_field_name("argument").map(|n| (String::new(), n)).into_iter().collect();
    let mut left = USE_NODES;
    while let Some((prefix, node)) = todo.pop() {
        left -= 1;
        if left == 0 || prefix.len() > crate::names::NAME_BYTES {
            break;
        }
        let field = |name: &str| node.child_by_field_name(name);
        let join = |text: &str| if prefix.is_empty() { text.to_string() } else { format!("{prefix}::{text}") };
        let mut cursor = node.walk();
        match node.kind() {
            "use_list" => todo.extend(node.named_children(&mut cursor).map(|child| (prefix.clone(), child))),
            "scoped_use_list" => {
                let inner = field("path").map_or(prefix.clone(), |path| join(r.text(path)));
                todo.extend(field("list").map(|list| (inner, list)));
            }
            "use_as_clause" => {
                if let (Some(path), Some(alias)) = (field("path"), field("alias")) {
                    found.push((r.text(alias).to_string(), join(r.text(path))));
                }
            }
            "use_wildcard" => {
                let path = node.named_child(0).map_or(prefix.clone(), |path| join(r.text(path)));
                found.push(("*".into(), path));
            }
            "self" => found.push((prefix.rsplit("::").next().unwrap_or(&prefix).to_string(), prefix.clone())),
            _ => {
                let text = r.text(node);
                found.push((text.rsplit("::").next().unwrap_or(text).to_string(), join(text)));
            }
        }
    }
    found
}

fn bind_use(r: &mut Resolver<'_>, name: &str, path: String) {
    match name {
        // so that a star's names are joined as Rust does
        "*" => r.names.star(format!("{path}::")),
        _ => r.names.bind(name, vec![path]),
    }
}
