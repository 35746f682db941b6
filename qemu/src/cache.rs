//! Where things are kept between runs.

use std::path::PathBuf;

/// `$XDG_CACHE_HOME/vitrine/<name>`, else `~/.cache/vitrine/<name>` (XDG Base Directory Specification).
pub fn folder(name: &str) -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .unwrap_or_else(std::env::temp_dir);
    base.join("vitrine").join(name)
}
