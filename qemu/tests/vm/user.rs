//! A user of a shipped image, on QEMU's own network.

use crate::images::Images;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use vitrine_attest::config::Cidr;
use vitrine_attest::digest::Key32;
use vitrine_qemu::boot::Guest;
use vitrine_qemu::verify::Verifier;
use vitrine_qemu::web::{Web, AS_SEEN_BY_GUEST};
use vitrine_qemu::wireguard::{Client, ClientKey};

/// For one exchange through the tunnel.
pub const MOMENT: Duration = Duration::from_secs(60);
const ADDRESSES: [&str; 2] = ["10.66.0.2/32", "fd66::2/128"];

/// A user and the server that they use.
pub struct User<'a> {
    images: &'a Images,
    /// Folder of the server's image.
    image: &'a str,
    server: Key32,
    key: ClientKey,
}

impl<'a> User<'a> {
    /// `server`: the key that the verifier showed.
    pub fn new(images: &'a Images, image: &'a str, server: Key32) -> Self {
        Self { images, image, server, key: ClientKey::generate().unwrap() }
    }

    fn client(&self, guest: &Guest) -> Client {
        let addresses: Vec<Cidr> = ADDRESSES.map(|a| a.parse().unwrap()).to_vec();
        Client::new(&self.key, self.server, guest.wireguard(), &addresses).unwrap()
    }

    /// The owner adds them.
    pub fn add(&self, guest: &Guest) {
        self.add_at(guest, &guest.ek_roots());
    }

    /// The same, where the TPM is not the guest's own.
    pub fn add_at(&self, guest: &Guest, roots: &Path) {
        let (key, addresses) = (self.key.public().to_string(), ADDRESSES.join(","));
        order(self.images, self.image, guest, roots, &["add", "--peer", &key, "--allowed-ips", &addresses]);
    }

    pub fn remove(&self, guest: &Guest) {
        let words = ["remove", "--peer", &self.key.public().to_string()];
        order(self.images, self.image, guest, &guest.ek_roots(), &words);
    }

    /// Who was not added, or was removed, gets no answer.
    pub fn is_nobody(&self, guest: &Guest) {
        assert!(self.client(guest).handshake(Duration::from_secs(6)).is_err(), "a stranger completed a handshake");
    }

    /// Reaches the server and the world outside.
    pub fn browses(&self, guest: &Guest) -> Client {
        let mut client = self.client(guest);
        client.handshake(MOMENT).unwrap();
        client.ping("10.66.0.1".parse().unwrap(), MOMENT).unwrap();
        client.ping("fd66::1".parse().unwrap(), MOMENT).unwrap();
        let web = Web::start().unwrap();
        let page = client.get(SocketAddr::from((AS_SEEN_BY_GUEST, web.port())), "/", MOMENT).unwrap();
        assert_eq!((page.status, web.served()), (200, 1));
        assert!(String::from_utf8(page.body).unwrap().starts_with(web.token()));
        client
    }
}

/// `vitrine-verify peers WORDS …` by the owner.
pub fn order(images: &Images, image: &str, guest: &Guest, roots: &Path, words: &[&str]) {
    let verifier = Verifier::find().unwrap();
    let mut arguments = vec!["peers".to_string(), words[0].to_string(), "--server".into(), guest.url()];
    let statement = format!("{image}/release.dsse.json");
    for (flag, file) in
        [("--statement", statement.as_str()), ("--key", "keys/release.pub"), ("--owner-key", "keys/owner.key")]
    {
        arguments.extend([flag.to_string(), images.path(file).display().to_string()]);
    }
    arguments.extend(["--ek-roots".to_string(), roots.display().to_string()]);
    arguments.extend(words[1..].iter().map(ToString::to_string));
    let outcome = verifier.run(arguments).unwrap();
    assert_eq!(outcome.exit_code, 0, "{outcome:?}");
}
