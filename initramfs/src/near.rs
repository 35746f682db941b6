//! "Did you mean": names close to one that does not exist.

use crate::path::ImagePath;

/// Most suggestions in one message.
const MOST: usize = 3;

/// Up to three names close to `wanted`, the closest first.
pub fn names<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    best(wanted, known.map(|name| (name, name.to_string())))
}

/// Up to three paths whose file names are close to `wanted`.
pub fn paths<'a>(wanted: &str, known: impl Iterator<Item = &'a ImagePath>) -> Vec<String> {
    best(wanted, known.map(|path| (path.file_name(), path.to_string())))
}

fn best<'a>(wanted: &str, known: impl Iterator<Item = (&'a str, String)>) -> Vec<String> {
    let limit = (wanted.len() / 3).clamp(1, 3);
    let mut found: Vec<(usize, String)> =
        known.filter_map(|(name, shown)| Some((distance(wanted, name, limit)?, shown))).collect();
    found.sort();
    found.dedup();
    found.into_iter().take(MOST).map(|(_, shown)| shown).collect()
}

/// Levenshtein distance in bytes, or `None` when it exceeds `limit`.
fn distance(a: &str, b: &str, limit: usize) -> Option<usize> {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
        if row.iter().min().is_some_and(|least| *least > limit) {
            return None;
        }
    }
    row.last().copied().filter(|d| *d <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_names_first() {
        let known = ["wireguard", "virtio_net", "virtio_blk", "nf_tables"];
        assert_eq!(names("wiregard", known.into_iter()), ["wireguard"]);
        assert_eq!(names("virtio_nett", known.into_iter()), ["virtio_net"]);
        assert!(names("zfs", known.into_iter()).is_empty());
    }

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting", 3), Some(3));
        assert_eq!(distance("kitten", "sitting", 2), None);
        assert_eq!(distance("", "abc", 3), Some(3));
        assert_eq!(distance("same", "same", 1), Some(0));
    }
}
