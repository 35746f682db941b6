//! `vitrine-verify log serve`

use crate::cli::ServeArgs;
use crate::commands::{print, Done};
use crate::http_serve;
use crate::log::{Config, Files, Folder};
use std::sync::Arc;
use vitrine_attest::{Error, Result};

pub fn run(args: &ServeArgs) -> Result<Done> {
    let folder = Folder::new(&args.dir);
    if Config::read(&folder)?.bucket.is_some() {
        let hint =
            "let the store serve what is not private/ below its prefix, as a website, or with any server before it";
        return Err(Error::input("the log lies in a bucket", hint));
    }
    let (listener, address) = http_serve::listen(args.listen)?;
    let ended = http_serve::signals()?;
    print(&format!("listening on http://{address}"))?;
    http_serve::serve(listener, Arc::new(Files(folder.public())), ended)?;
    Ok(Done::ok(String::new()))
}
