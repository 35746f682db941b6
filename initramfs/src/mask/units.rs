//! What a path is to systemd (systemd.unit(5)), in merged-/usr form.

use super::Action;
use crate::path::ImagePath;

/// Where it looks for units.
pub(crate) const FOLDERS: [&str; 4] =
    ["/usr/lib/systemd/system", "/etc/systemd/system", "/usr/lib/systemd/user", "/etc/systemd/user"];

/// A path that systemd takes as something about a unit.
#[derive(Debug, PartialEq, Eq)]
pub enum Role<'p> {
    /// The unit itself, or a link that is another name of one.
    Unit(&'p str),
    /// `multi-user.target.wants/cron.service`: the unit is wanted.
    Wish(&'p str),
    /// `cron.service.d/limits.conf`: something more about the unit.
    DropIn(&'p str),
}

impl Role<'_> {
    pub fn unit(&self) -> &str {
        match self {
            Self::Unit(name) | Self::Wish(name) | Self::DropIn(name) => name,
        }
    }

    /// What the mask does with it.
    pub fn action(&self) -> Action {
        match self {
            Self::Unit(_) => Action::Nulled,
            Self::Wish(_) | Self::DropIn(_) => Action::Removed,
        }
    }
}

/// What it is, if anything.
pub fn role(path: &ImagePath) -> Option<Role<'_>> {
    let below = FOLDERS.iter().find_map(|folder| path.as_str().strip_prefix(folder)?.strip_prefix('/'))?;
    match below.split_once('/') {
        None => Some(Role::Unit(below)),
        Some((folder, name)) if !name.contains('/') => {
            let wish = folder.ends_with(".wants") || folder.ends_with(".requires") || folder.ends_with(".upholds");
            match folder.strip_suffix(".d") {
                Some(unit) => Some(Role::DropIn(unit)),
                None => wish.then_some(Role::Wish(name)),
            }
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles() {
        let role_of = |text: &str| role(&ImagePath::parse(text).unwrap()).map(|role| format!("{role:?}"));
        for (path, wanted) in [
            ("/usr/lib/systemd/system/cron.service", Some("Unit(\"cron.service\")")),
            ("/etc/systemd/system/a.target.wants/b.service", Some("Wish(\"b.service\")")),
            ("/usr/lib/systemd/user/a.socket.requires/b.socket", Some("Wish(\"b.socket\")")),
            ("/etc/systemd/system/b.service.d/x.conf", Some("DropIn(\"b.service\")")),
            ("/etc/systemd/system/b.service.d/deep/x.conf", None),
            ("/usr/lib/systemd/system/other/x", None),
            ("/usr/lib/systemd/systemd", None),
            ("/usr/lib/systemd/system-preset/x", None),
        ] {
            assert_eq!(role_of(path).as_deref(), wanted, "{path}");
        }
    }
}
