//! The untouched image: accepted, a client added, traffic through its tunnel.

use super::parts::{Judgement, Parts};
use super::story::Story;
use super::unexpected;
use crate::boot::Guest;
use crate::web::{Web, AS_SEEN_BY_GUEST};
use crate::wireguard::{Client, ClientKey};
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use vitrine_attest::config::{Cidr, Config, Forward};
use vitrine_attest::digest::Key32;
use vitrine_attest::{Error, Result};

/// For the handshake, each ping and the page; a loaded machine under TCG is slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// Gives the recorded messages of the accepted server, for a replay later.
pub fn accepted(parts: &Parts, story: &mut Story) -> Result<Judgement> {
    story.step("Boot the image: UEFI, Secure Boot on with our keys, a TPM with a certificate")?;
    let (guest, time) = parts.boot(&parts.options())?;
    story.tell(&format!("the server answers {:.1} s after power-on: {}", time.as_secs_f32(), guest.url()))?;

    story.step("Ask for evidence with a fresh nonce, and judge it")?;
    let judgement = parts.check(&guest, "genuine")?;
    story.tell(&judgement.outcome.stdout)?;
    let key = match (&judgement.report.keys, judgement.outcome.exit_code) {
        (Some(keys), 0) => keys.wireguard,
        _ => return Err(unexpected("the untouched image was not accepted", &judgement.outcome.stdout)),
    };

    story.step("Add a client with an order that only the attested server can open")?;
    let client_key = ClientKey::generate()?;
    let addresses = client_addresses(&parts.config)?;
    add_peer(parts, &guest, client_key.public(), &addresses)?;
    let list: Vec<String> = addresses.iter().map(Cidr::to_string).collect();
    story.tell(&format!("client {} may use {}", client_key.public(), list.join(", ")))?;

    story.step("Use the tunnel, to the attested key and no other")?;
    let mut client = Client::new(&client_key, key, guest.wireguard(), &addresses)?;
    let time = client.handshake(PATIENCE)?;
    story.tell(&format!("handshake with {key} in {:.0} ms", millis(time)))?;
    for server in &parts.config.wireguard.addresses {
        let time = client.ping(server.address, PATIENCE)?;
        story.tell(&format!("ping {} inside the tunnel: {:.1} ms", server.address, millis(time)))?;
    }
    fetch(parts, &mut client, story)?;
    guest.stop();
    Ok(judgement)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// `vitrine-verify peers add`, which checks the server once more.
fn add_peer(parts: &Parts, guest: &Guest, peer: Key32, addresses: &[Cidr]) -> Result<()> {
    let list: Vec<String> = addresses.iter().map(Cidr::to_string).collect();
    let mut arguments: Vec<OsString> = vec!["peers".into(), "add".into(), "--server".into(), guest.url().into()];
    arguments.extend(parts.trust());
    arguments.extend(["--ek-roots".into(), guest.ek_roots().into()]);
    arguments.extend(["--owner-key".into(), parts.owner_key.clone().into(), "--peer".into(), peer.to_string().into()]);
    arguments.extend(["--allowed-ips".into(), list.join(",").into()]);
    let outcome = parts.verifier.run(arguments)?;
    if outcome.exit_code != 0 {
        let said = format!("{}\n{}", outcome.stdout, outcome.stderr);
        return Err(unexpected("the server did not take the owner's order", &said));
    }
    Ok(())
}

/// A page of a web server on the host, through the tunnel and out of the guest again.
fn fetch(parts: &Parts, client: &mut Client, story: &mut Story) -> Result<()> {
    if parts.config.forward == Forward::None {
        return story.tell("this image forwards nothing, so no page is fetched");
    }
    let web = Web::start()?;
    let target = SocketAddr::from((AS_SEEN_BY_GUEST, web.port()));
    let page = client.get(target, "/", PATIENCE)?;
    let body = String::from_utf8_lossy(&page.body).into_owned();
    let mut lines = body.lines();
    if page.status != 200 || lines.next() != Some(web.token()) || web.served() != 1 {
        return Err(unexpected("another page came through the tunnel than the one that was put there", &body));
    }
    let from = lines.next().unwrap_or_default();
    story.tell(&format!(
        "page http://{target}/ through the tunnel: {} bytes in {:.0} ms; its server saw {from}",
        page.body.len(),
        millis(page.time)
    ))
}

/// One address for the client beside each of the server's: 10.66.0.1/24 gives 10.66.0.2/32.
fn client_addresses(config: &Config) -> Result<Vec<Cidr>> {
    let next = |server: &Cidr| match server.address {
        IpAddr::V4(v4) => Cidr { address: IpAddr::V4((u32::from(v4).wrapping_add(1)).into()), prefix: 32 },
        IpAddr::V6(v6) => Cidr { address: IpAddr::V6((u128::from(v6).wrapping_add(1)).into()), prefix: 128 },
    };
    let addresses: Vec<Cidr> = config.wireguard.addresses.iter().map(next).collect();
    let fits = |(server, client): (&Cidr, &Cidr)| server.contains(client.address);
    if !config.wireguard.addresses.iter().zip(&addresses).all(fits) {
        return Err(Error::input(
            "the server's network has no second address for a client",
            "use a recipe with wireguard.addresses like 10.66.0.1/24",
        ));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(addresses: &str) -> Config {
        serde_json::from_str(&format!("{{\"wireguard\":{{\"addresses\":{addresses}}}}}")).unwrap()
    }

    #[test]
    fn clients_stand_beside_the_server() {
        let addresses = client_addresses(&config(r#"["10.66.0.1/24","fd66::1/64"]"#)).unwrap();
        assert_eq!(addresses, ["10.66.0.2/32".parse().unwrap(), "fd66::2/128".parse().unwrap()]);
        assert!(client_addresses(&config(r#"["10.66.0.1/32"]"#)).is_err());
    }
}
