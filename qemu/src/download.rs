//! A web server on the host's loopback that hands out the files of one folder, for UEFI HTTP boot. The guest's user-mode
//! network reaches it as [`crate::web::AS_SEEN_BY_GUEST`].

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use vitrine_attest::{Error, Result};

/// Longest request that is read, in bytes.
const REQUEST_LIMIT: u64 = 8192;
/// Longest wait for the other side; firmware under TCG on a loaded machine takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Answers GET and HEAD for the files of a folder, links followed, and keeps connections open, as firmware expects. Stops when
/// dropped.
#[derive(Debug)]
pub struct Download {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Download {
    /// # Errors
    /// When no port is free.
    pub fn start(folder: &Path) -> Result<Self> {
        let failed = |e: io::Error| Error::host(format!("no web server on 127.0.0.1: {e}"), "");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let (asked, stop) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicBool>::default());
        let thread = std::thread::spawn({
            let (folder, asked, stop) = (folder.to_owned(), asked.clone(), stop.clone());
            move || serve(&listener, &folder, &asked, &stop)
        });
        Ok(Self { port, asked, stop, thread: Some(thread) })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// `GET /exit.efi` and so on, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().map(|asked| asked.clone()).unwrap_or_default()
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One thread for each connection; they end with it, or after [`PATIENCE`].
fn serve(listener: &TcpListener, folder: &Path, asked: &Arc<Mutex<Vec<String>>>, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => {
                let (folder, asked) = (folder.to_owned(), asked.clone());
                // Whoever does not ask to the end gets nothing
                std::thread::spawn(move || converse(stream, &folder, &asked));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Answers requests until the other side has no more.
fn converse(stream: TcpStream, folder: &Path, asked: &Mutex<Vec<String>>) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some((method, path)) = request(&mut reader)? {
        if let Ok(mut asked) = asked.lock() {
            asked.push(format!("{method} {path}"));
        }
        answer(&stream, &method, file(folder, &path))?;
    }
    Ok(())
}

/// Method and path of the next request (RFC 9112, §3); what else it says is read and left.
fn request(reader: &mut BufReader<TcpStream>) -> io::Result<Option<(String, String)>> {
    let mut lines = reader.take(REQUEST_LIMIT);
    let mut first = String::new();
    lines.read_line(&mut first)?;
    let mut line = first.clone();
    while !line.trim_end().is_empty() {
        line.clear();
        lines.read_line(&mut line)?;
    }
    let mut words = first.split(' ').map(String::from);
    Ok(words.next().zip(words.next()))
}

/// A file of the folder: no other folder's.
fn file(folder: &Path, path: &str) -> Option<PathBuf> {
    let name = path.strip_prefix('/').filter(|name| !name.is_empty() && !name.contains('/') && *name != "..")?;
    Some(folder.join(name)).filter(|file| file.is_file())
}

fn answer(mut stream: &TcpStream, method: &str, file: Option<PathBuf>) -> io::Result<()> {
    let Some(path) = file.filter(|_| ["GET", "HEAD"].contains(&method)) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    };
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: application/efi\r\nContent-Length: {length}\r\n\r\n")?;
    if method == "GET" {
        io::copy(&mut file, &mut stream)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(port: u16, requests: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(requests.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    }

    #[test]
    fn files_of_the_folder_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.efi"), b"image").unwrap();
        std::os::unix::fs::symlink("a.efi", folder.path().join("b.efi")).unwrap();
        let server = Download::start(folder.path()).unwrap();
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/efi\r\nContent-Length: 5\r\n\r\n";
        let both = ask(server.port(), "HEAD /b.efi HTTP/1.1\r\nHost: x\r\n\r\nGET /b.efi HTTP/1.1\r\n\r\n");
        assert_eq!(both, [&head[..], head, b"image"].concat());
        for bad in ["GET /../a.efi", "GET /.", "GET /", "GET a.efi", "GET /c", "PUT /a.efi", "GET"] {
            let answer = ask(server.port(), &format!("{bad} HTTP/1.1\r\n\r\n"));
            assert!(answer.starts_with(b"HTTP/1.1 404"), "{bad}");
        }
        assert_eq!(server.asked()[..2], ["HEAD /b.efi", "GET /b.efi"]);
    }
}
