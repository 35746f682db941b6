//! Mask: takes logging daemons, logins and their like out of a tree, by the rules of `mask.toml`.

mod lines;
mod summary;
mod units;

pub use summary::summary;
pub(crate) use units::FOLDERS as UNIT_FOLDERS;

use crate::cache::Content;
use crate::glob;
use crate::path::ImagePath;
use crate::policy::{MaskRule, Policy};
use crate::stage::MOUNT_POINTS;
use crate::tree::{Entry, Layer, Node, Tree};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vitrine_attest::Sha256;

/// One thing that was masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Masked {
    pub rule: String,
    pub path: ImagePath,
    pub action: Action,
    /// Of the file as it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
    /// Of the file as it is now, when lines of it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Sha256>,
    /// Package and version it came from.
    pub origin: String,
    pub why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Removed,
    /// Replaced by a link to `/dev/null`, which is systemd's way to forbid a unit.
    Nulled,
    /// Lines of it went.
    Edited,
    /// Set-user-ID and the like were taken off.
    Plain,
}

/// Rule of files that lost their special bits: it has no pattern, and no exception.
const PLAIN_RULE: &str = "mask.special-mode";
const PLAIN_WHY: &str = "a set-user-ID or set-group-ID file changes who runs it";

impl Masked {
    /// A file whose special bits were taken off.
    pub fn plain_mode(path: &ImagePath, mode: u32, origin: String) -> Self {
        Self {
            rule: PLAIN_RULE.into(),
            path: path.clone(),
            action: Action::Plain,
            sha256: None,
            after: None,
            origin,
            why: format!("{PLAIN_WHY}; this one had mode {mode:o}"),
        }
    }

    fn by(rule: &MaskRule, path: &ImagePath, action: Action, old: Entry, after: Option<Sha256>) -> Self {
        let sha256 = match old.node {
            Node::File(content) => Some(content.sha256),
            _ => None,
        };
        let (rule, why) = (rule.id.clone(), rule.why.clone());
        Self { rule, path: path.clone(), action, sha256, after, origin: old.origin, why }
    }
}

/// Applies the mask rules. What comes back is sorted by path. Masking twice is masking once.
///
/// - A file, link or empty folder whose path fits `remove` goes, and so do links to it, and folders that are empty then.
/// - A unit whose name fits `null` becomes a link to `/dev/null`; links to it in `.wants` and `.requires` folders, and
///   its drop-ins, go.
/// - Of files that fit `edit`, the lines go that hold one of its texts.
pub fn mask(mut tree: Tree, policy: &Policy) -> (Tree, Vec<Masked>) {
    let mut masked = Vec::new();
    let mut gone = BTreeMap::new();
    for (path, rule, action) in hits(&tree, policy) {
        let Some(entry) = tree.remove_one(&path) else { continue };
        match action {
            // cannot conflict: the path was freed a line above, and its folder is there
            Action::Nulled => drop(tree.add_link(path.clone(), "/dev/null", Layer::Configuration, &rule.id)),
            _ => drop(gone.insert(path.clone(), rule)),
        }
        masked.push(Masked::by(rule, &path, action, entry, None));
    }
    remove_links(&mut tree, gone, &mut masked);
    remove_folders(&mut tree, policy, &mut masked);
    edit(&mut tree, policy, &mut masked);
    masked.sort_by(|a, b| (&a.path, a.action).cmp(&(&b.path, b.action)));
    (tree, masked)
}

fn hits<'p>(tree: &Tree, policy: &'p Policy) -> Vec<(ImagePath, &'p MaskRule, Action)> {
    let entries = tree.iter().filter(|(_, entry)| !entry.is_directory());
    entries.filter_map(|(path, entry)| hit(path, entry, policy).map(|(r, a)| (path.clone(), r, a))).collect()
}

fn hit<'p>(path: &ImagePath, entry: &Entry, policy: &'p Policy) -> Option<(&'p MaskRule, Action)> {
    policy.masks.iter().find_map(|rule| {
        if entry.node == Node::Link("/dev/null".into()) {
            return None;
        }
        if rule.remove.iter().any(|pattern| glob::matches(pattern, path.as_str())) {
            return Some((rule, Action::Removed));
        }
        let nulls = |unit: &str| rule.null.iter().any(|pattern| glob::matches(pattern, unit));
        units::role(path).filter(|role| nulls(role.unit())).map(|role| (rule, role.action()))
    })
}

/// Links whose end has gone, and links to those; then folders that have become empty, but for those that init needs.
fn remove_links(tree: &mut Tree, mut gone: BTreeMap<ImagePath, &MaskRule>, masked: &mut Vec<Masked>) {
    let mut emptied: Vec<ImagePath> = gone.keys().filter_map(ImagePath::parent).collect();
    loop {
        let leads_nowhere = |path: &ImagePath, entry: &Entry| match &entry.node {
            Node::Link(target) => gone.get(&path.follow(target).ok()?.merged().0).copied(),
            _ => None,
        };
        let links: Vec<_> =
            tree.iter().filter_map(|(path, entry)| Some((path.clone(), leads_nowhere(path, entry)?))).collect();
        if links.is_empty() {
            break;
        }
        for (path, rule) in links {
            let Some(entry) = tree.remove_one(&path) else { continue };
            masked.push(Masked::by(rule, &path, Action::Removed, entry, None));
            emptied.extend(path.parent());
            gone.insert(path, rule);
        }
    }
    emptied.sort();
    emptied.dedup();
    for folder in emptied.into_iter().rev() {
        for folder in std::iter::once(folder.clone()).chain(folder.ancestors()) {
            if MOUNT_POINTS.contains(&folder.as_str()) || !tree.remove_empty(&folder) {
                break;
            }
        }
    }
}

/// Folders that fit `remove` and are empty, as packages bring them for files that a daemon makes later.
fn remove_folders(tree: &mut Tree, policy: &Policy, masked: &mut Vec<Masked>) {
    let fits = |path: &ImagePath, rule: &MaskRule| rule.remove.iter().any(|p| glob::matches(p, path.as_str()));
    let folders = tree.iter().filter(|(path, entry)| entry.is_directory() && !MOUNT_POINTS.contains(&path.as_str()));
    let mut hits: Vec<_> = folders
        .filter_map(|(path, entry)| Some((path.clone(), entry.clone(), policy.masks.iter().find(|r| fits(path, r))?)))
        .collect();
    // What lies below comes first
    hits.reverse();
    for (path, entry, rule) in hits {
        if tree.remove_empty(&path) {
            masked.push(Masked::by(rule, &path, Action::Removed, entry, None));
        }
    }
}

fn edit(tree: &mut Tree, policy: &Policy, masked: &mut Vec<Masked>) {
    for rule in &policy.masks {
        for edit in &rule.edit {
            let fits = |path: &ImagePath| edit.files.iter().any(|pattern| glob::matches(pattern, path.as_str()));
            let files = tree.iter().filter(|(path, entry)| matches!(entry.node, Node::File(_)) && fits(path));
            let edited: Vec<_> = files
                .filter_map(|(path, entry)| Some((path.clone(), lines::without(entry.bytes(), &edit.lines)?)))
                .collect();
            for (path, bytes) in edited {
                let Some(old) = tree.get(&path).cloned() else { continue };
                let content = Content::new(bytes);
                masked.push(Masked::by(rule, &path, Action::Edited, old, Some(content.sha256)));
                tree.replace(&path, content);
            }
        }
    }
}

#[cfg(test)]
mod tests;
