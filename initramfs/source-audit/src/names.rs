//! What names stand for in each function, whatever the order of statements: a name given two values stands for both.

use std::collections::HashMap;

/// Values that one name may have: more are left out, the first ones count.
const VALUES: usize = 4;
/// Bytes of a resolved name: longer ones come from chains of hundreds of calls, and say nothing more.
pub const NAME_BYTES: usize = 240;
/// Mark of a local name, so that a parameter called `print` is not the function.
pub const LOCAL: char = '~';
/// A caught error, whatever its name.
pub const ERROR: &str = "{error}";

/// Scopes from the file to the innermost function.
#[derive(Debug, Default)]
pub struct Names {
    scopes: Vec<HashMap<String, Vec<String>>>,
    /// `self.log`, given a value in one method and used in another.
    members: HashMap<String, Vec<String>>,
    /// Modules whose names all were imported.
    stars: Vec<String>,
}

impl Names {
    pub fn enter(&mut self) {
        self.scopes.push(HashMap::new());
    }

    pub fn leave(&mut self) {
        self.scopes.pop();
    }

    /// A name of the innermost scope gets values; none means one that is not known.
    pub fn bind(&mut self, name: &str, values: Vec<String>) {
        let Some(scope) = self.scopes.last_mut() else { return };
        let values = if values.is_empty() { vec![format!("{LOCAL}{name}")] } else { values };
        add(scope.entry(name.to_string()).or_default(), values);
    }

    pub fn bind_member(&mut self, name: String, values: Vec<String>) {
        add(self.members.entry(name).or_default(), values);
    }

    pub fn star(&mut self, module: String) {
        if self.stars.len() < VALUES {
            self.stars.push(module);
        }
    }

    /// What a name stands for: itself, when nothing in the file gives it a value.
    pub fn look(&self, name: &str) -> Vec<String> {
        if let Some(values) = self.scopes.iter().rev().find_map(|scope| scope.get(name)) {
            return values.clone();
        }
        let joint = |module: &String| match module.ends_with("::") {
            true => format!("{module}{name}"),
            false => format!("{module}.{name}"),
        };
        std::iter::once(name.to_string()).chain(self.stars.iter().map(joint)).collect()
    }

    pub fn member(&self, name: &str) -> Option<&Vec<String>> {
        self.members.get(name)
    }
}

fn add(to: &mut Vec<String>, values: Vec<String>) {
    for value in values {
        if to.len() < VALUES && value.len() <= NAME_BYTES && !to.contains(&value) {
            to.push(value);
        }
    }
}
