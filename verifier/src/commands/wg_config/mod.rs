//! `vitrine-verify wg-config`: a client's configuration, only for a server that was just accepted.

mod endpoint;
mod key;
mod render;

use super::accepted::{ask, Accepted, Lacking};
use super::Done;
use crate::cli::WgConfig;
use crate::files;
use endpoint::Endpoint;
use key::PrivateKey;
use qrcode::render::unicode::Dense1x2;
use qrcode::QrCode;
use render::Client;
use vitrine_attest::config::{Cidr, Config};
use vitrine_attest::{Error, Result};
use zeroize::Zeroizing;

pub fn run(args: &WgConfig) -> Result<Done> {
    let endpoint = args.endpoint.as_deref().map(str::parse::<Endpoint>).transpose()?;
    let private = match &args.private_key_file {
        Some(path) => PrivateKey::read(path)?,
        None => PrivateKey::generate()?,
    };
    let accepted = match ask(&args.server, &args.trust, Lacking::AskServer, false)? {
        Ok(accepted) => accepted,
        Err(done) => return Ok(done),
    };
    let Accepted { server, keys, config, .. } = &accepted;
    check_addresses(&args.address, config)?;
    let client = Client {
        private: &private,
        addresses: &args.address,
        dns: &args.dns,
        endpoint: match endpoint {
            Some(endpoint) => endpoint,
            None => Endpoint { host: server.host().to_owned(), port: first_port(&keys.ports)? },
        },
    };
    let text = render::configuration(&client, server.name(), keys, config);
    show(args, &private, &text)
}

/// `vitrine build` makes no configuration without ports, but others may sign statements.
fn first_port(ports: &[u16]) -> Result<u16> {
    ports.first().copied().ok_or_else(|| {
        Error::artefact("the statement's configuration names no WireGuard port", "ask the operator, or use --endpoint")
    })
}

/// Mistakes that would only show as silence.
fn check_addresses(addresses: &[Cidr], config: &Config) -> Result<()> {
    for address in addresses {
        let tunnel = &config.wireguard.addresses;
        let inside = tunnel.iter().any(|net| net.prefix <= address.prefix && net.contains(address.address));
        if !inside || tunnel.iter().any(|own| own.address == address.address) {
            let nets: Vec<String> = tunnel.iter().map(Cidr::to_string).collect();
            return Err(Error::input(
                format!("--address {address} cannot be yours: the server has {} inside the tunnel", nets.join(", ")),
                "give the addresses that the owner allowed for your key",
            ));
        }
    }
    Ok(())
}

fn show(args: &WgConfig, private: &PrivateKey, text: &str) -> Result<Done> {
    let public = private.public();
    let mut stdout = String::new();
    match &args.out {
        Some(path) => {
            files::write_secret(path, text.as_bytes())?;
            stdout += &format!("wrote {}; public key, for the owner: {public}\n", path.display());
        }
        None if args.qr => stdout += &format!("public key, for the owner: {public}\n"),
        None => stdout += text,
    }
    if args.qr {
        stdout += &qr(text)?;
    }
    Ok(Done::ok(stdout))
}

/// For a terminal that writes light on dark, as most do; without comments, so that it stays small.
fn qr(text: &str) -> Result<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let short = Zeroizing::new(lines.join("\n"));
    let code = QrCode::new(short.as_bytes())
        .map_err(|e| Error::input(format!("the configuration fits no QR code: {e}"), "leave --qr out, use --out"))?;
    Ok(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build() + "\n")
}
