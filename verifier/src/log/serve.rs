//! The public files of a log over HTTP, for those who have no web server at hand.
//!
//! Nothing is answered but what a log consists of: other paths, whatever lies in the folder, are not there.

use super::index;
use crate::files;
use crate::http_serve::{Answer, Handler, Method, Request};
use std::path::PathBuf;
use vitrine_attest::log_index::BUCKET_LIMIT;
use vitrine_attest::note::NOTE_LIMIT;
use vitrine_attest::tile::{Resource, BUNDLE_LIMIT};

/// What changes may be kept for this long.
const CHECKPOINT: &str = "max-age=2";
/// What never changes.
const TILE: &str = "public, max-age=31536000, immutable";

/// Answers from the public part of a log.
pub struct Files(pub PathBuf);

impl Files {
    fn get(&self, path: &str) -> Answer {
        let (limit, content_type, caching) = match path {
            "checkpoint" | index::NOTE => (NOTE_LIMIT, "text/plain; charset=utf-8", CHECKPOINT),
            path if Resource::parse(path).is_some() => (BUNDLE_LIMIT, "application/octet-stream", TILE),
            path if index::name(path).is_some() => (BUCKET_LIMIT, "application/octet-stream", TILE),
            _ => return Answer::text(404, "there is no such file in a log"),
        };
        let file = self.0.join(path);
        match files::read(&file, limit) {
            Ok(bytes) => Answer {
                headers: vec![("cache-control", caching.into()), ("access-control-allow-origin", "*".into())],
                ..Answer::new(200, content_type, bytes)
            },
            Err(_) if file.try_exists().is_ok_and(|there| !there) => Answer::text(404, "this log has no such file"),
            Err(_) => Answer::text(500, "the file cannot be read"),
        }
    }
}

impl Handler for Files {
    fn body_limit(&self) -> usize {
        0
    }

    fn answer(&self, request: Request) -> Answer {
        match request.method {
            Method::Get => self.get(request.path.trim_start_matches('/')),
            Method::Post => Answer::text(405, "a log is only read here"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUCKET: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn files_of_a_log_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let public = folder.path().join("public");
        std::fs::create_dir_all(public.join("tile/0")).unwrap();
        std::fs::create_dir_all(public.join("index")).unwrap();
        for (name, bytes) in [
            ("log.key", "secret"),
            ("public/checkpoint", "note"),
            ("public/tile/0/000", "hashes"),
            ("public/index/checkpoint", "head"),
            (format!("public/index/{BUCKET}").as_str(), "bucket"),
            ("public/index/x", "x"),
            ("public/x", "x"),
        ] {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let files = Files(public);
        let get = |path: &str| files.answer(Request { method: Method::Get, path: path.into(), body: vec![] });
        assert_eq!((get("/checkpoint").status, get("/checkpoint").body), (200, b"note".to_vec()));
        assert_eq!(get("/tile/0/000").body, b"hashes");
        assert!(get("/tile/0/000").headers.contains(&("cache-control", TILE.into())));
        assert!(get("/index/checkpoint").headers.contains(&("cache-control", CHECKPOINT.into())));
        assert_eq!(get(&format!("/index/{BUCKET}")).body, b"bucket");
        for other in [
            "/",
            "/index/x",
            "/index/",
            "/x",
            "/../log.key",
            "/tile/0/../../../log.key",
            "/tile/0",
            "/tile/0/001",
            "/%2e%2e/log.key",
            "/checkpoint/",
        ] {
            assert_eq!(get(other).status, 404, "{other}");
        }
        assert_eq!(
            files.answer(Request { method: Method::Post, path: "/checkpoint".into(), body: vec![] }).status,
            405
        );
    }
}
