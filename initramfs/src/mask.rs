//! Mask: takes logging daemons, logins and their like out of a tree, by the rules of `mask.toml`.

use crate::glob;
use crate::path::ImagePath;
use crate::policy::{MaskRule, Policy};
use crate::tree::{Entry, Layer, Node, Tree};
use serde::{Deserialize, Serialize};
use vitrine_attest::Sha256;

/// Where systemd looks for units (systemd.unit(5)), in merged-/usr form.
pub(crate) const UNIT_FOLDERS: [&str; 3] = ["/usr/lib/systemd/system", "/etc/systemd/system", "/usr/lib/systemd/user"];

/// One thing that was masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Masked {
    pub rule: String,
    pub path: ImagePath,
    pub action: Action,
    /// Of the file that is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
    /// Package and version it came from.
    pub origin: String,
    pub why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Removed,
    /// Replaced by a link to `/dev/null`, which is systemd's way to forbid a unit.
    Nulled,
}

/// Applies the mask rules. What comes back is sorted by path.
///
/// It does not follow what only a masked program needed: a library nobody calls any more stays.
pub fn mask(mut tree: Tree, policy: &Policy) -> (Tree, Vec<Masked>) {
    let mut masked = Vec::new();
    let hits: Vec<(ImagePath, &MaskRule, Action)> =
        tree.iter().filter_map(|(path, entry)| hit(path, entry, policy).map(|(r, a)| (path.clone(), r, a))).collect();
    for (path, rule, action) in hits {
        let Some(entry) = tree.remove(&path) else { continue };
        if action == Action::Nulled {
            // cannot conflict: the path was freed a line above, and its folder is there
            let _ = tree.add_link(path.clone(), "/dev/null", Layer::Configuration, &rule.id);
        }
        let sha256 = match entry.node {
            Node::File(content) => Some(content.sha256),
            _ => None,
        };
        let (rule, why) = (rule.id.clone(), rule.why.clone());
        masked.push(Masked { rule, path, action, sha256, origin: entry.origin, why });
    }
    (tree, masked)
}

fn hit<'p>(path: &ImagePath, entry: &Entry, policy: &'p Policy) -> Option<(&'p MaskRule, Action)> {
    policy.masks.iter().find_map(|rule| {
        if is_unit(path, entry) && rule.null.iter().any(|pattern| glob::matches(pattern, path.file_name())) {
            return Some((rule, Action::Nulled));
        }
        let removed = entry.node != Node::Directory && rule.remove.iter().any(|p| glob::matches(p, path.as_str()));
        removed.then_some((rule, Action::Removed))
    })
}

/// A unit file, or a link to one directly in a unit folder. Links in `*.wants` folders need no mask: they point to it.
fn is_unit(path: &ImagePath, entry: &Entry) -> bool {
    let folder = path.parent().is_some_and(|parent| UNIT_FOLDERS.contains(&parent.as_str()));
    folder && entry.node != Node::Directory && entry.node != Node::Link("/dev/null".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Content;

    fn tree(paths: &[&str]) -> Tree {
        let mut tree = Tree::new();
        for path in paths {
            let path = ImagePath::parse(path).unwrap();
            tree.add_file(path, Content::new(b"x".to_vec()), 0o444, Layer::Distribution, "p 1").unwrap();
        }
        tree
    }

    #[test]
    fn programs_go_and_units_become_null() {
        let tree = tree(&[
            "/usr/sbin/rsyslogd",
            "/usr/sbin/tool",
            "/usr/lib/systemd/system/systemd-journald-dev-log.socket",
            "/usr/lib/systemd/system/network.target",
            "/etc/rsyslog.d/50-default.conf",
        ]);
        let (tree, masked) = mask(tree, &Policy::standard());
        let kept: Vec<String> = tree
            .iter()
            .filter(|(_, e)| e.node != Node::Directory)
            .map(|(p, e)| match &e.node {
                Node::Link(target) => format!("{p} -> {target}"),
                _ => p.to_string(),
            })
            .collect();
        assert_eq!(
            kept,
            [
                "/usr/lib/systemd/system/network.target",
                "/usr/lib/systemd/system/systemd-journald-dev-log.socket -> /dev/null",
                "/usr/sbin/tool"
            ]
        );
        let rules: Vec<_> = masked.iter().map(|m| (m.rule.as_str(), m.action)).collect();
        assert_eq!(
            rules,
            [("mask.syslog", Action::Removed), ("mask.journal", Action::Nulled), ("mask.syslog", Action::Removed)]
        );
    }

    #[test]
    fn a_clean_tree_stays_as_it_is_and_masking_twice_is_masking_once() {
        let clean = tree(&["/usr/lib/vitrine/agent", "/etc/os-release"]);
        assert_eq!(mask(clean.clone(), &Policy::standard()), (clean, vec![]));
        let (once, _) = mask(tree(&["/usr/lib/systemd/system/ssh.service"]), &Policy::standard());
        assert_eq!(mask(once.clone(), &Policy::standard()), (once, vec![]));
    }
}
