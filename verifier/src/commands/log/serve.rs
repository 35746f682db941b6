//! `vitrine-verify log serve`

use crate::cli::ServeArgs;
use crate::commands::{print, Done};
use crate::http_serve;
use crate::log::{Config, Files, Folder};
use std::net::TcpListener;
use std::sync::Arc;
use vitrine_attest::{Error, Result};

pub fn run(args: &ServeArgs) -> Result<Done> {
    let folder = Folder::new(&args.dir);
    Config::read(&folder)?;
    let listening = || {
        let listener = TcpListener::bind(args.listen)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    let (listener, address) = listening().map_err(|e: std::io::Error| {
        Error::host(format!("cannot listen on {}: {e}", args.listen), "name another address with --listen")
    })?;
    let ended = http_serve::signals()?;
    print(&format!("listening on http://{address}"))?;
    http_serve::serve(listener, Arc::new(Files(folder.public())), ended)?;
    Ok(Done::ok(String::new()))
}
