//! One conversation with a server: M1 to M4.

use crate::clock::now;
use crate::exchange::{Activation, Answer, Exchange, Source};
use crate::server::{random, Server};
use vitrine_attest::attachments::{Attachments, ATTACHMENTS_LIMIT, ATTACHMENTS_PATH};
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::credential::make_credential;
use vitrine_attest::evidence::{
    transcript, ActivationRequest, Evidence, EvidenceRequest, ACTIVATE_PATH, EVIDENCE_LIMIT, EVIDENCE_PATH,
    REQUEST_LIMIT, VERSION,
};
use vitrine_attest::tpm::Public;
use vitrine_attest::{Error, Result, Sha256};

const JSON: &str = "application/json";

/// Asks for evidence with a fresh nonce, then has a credential activated.
///
/// # Errors
/// When the server cannot be asked, or gives no evidence. Evidence that is wrong is no error here.
pub fn converse(server: &Server) -> Result<Exchange> {
    let (asked, nonce) = (now()?.as_secs(), Sha256(random()?));
    let m1 = question(nonce)?;
    let m2 = ask(server, &m1)?;
    let answer = activate(server, &m1, &m2)?;
    Ok(Exchange {
        source: Source::Server(server.name().into()),
        asked: Some(asked),
        nonce,
        evidence: m2,
        activation: Some(Activation { m1, answer }),
        beacon: None,
    })
}

/// Evidence for this nonce, without an activation.
///
/// # Errors
/// When the server cannot be asked, or gives none; also when what it gives is no evidence.
pub fn evidence(server: &Server, nonce: Sha256) -> Result<Vec<u8>> {
    let m2 = ask(server, &question(nonce)?)?;
    let evidence: Evidence = serde_json::from_slice(&m2).map_err(|e| {
        let hint = "check the address: this is no server of this protocol";
        Error::host(format!("{} gives no evidence: {e}", server.name()), hint)
    })?;
    if evidence.nonce != nonce {
        let what = format!("{} answers another nonce", server.name());
        return Err(Error::host(what, "try again; if it stays, the server cannot prove anything"));
    }
    Ok(m2)
}

/// What the server hands out beside its evidence; none, also of a server that is too old to do so. The TPM has signed nothing of
/// it, and nobody has looked at the signatures in it yet.
///
/// # Errors
/// When the server cannot be asked, or gives something else.
pub fn attachments(server: &Server) -> Result<Option<Attachments>> {
    let answer = server.get(ATTACHMENTS_PATH, ATTACHMENTS_LIMIT)?;
    match answer.status {
        200 => Attachments::parse(&answer.body).map(Some).map_err(|why| {
            let hint = "do not trust this server: it does not keep to the protocol";
            Error::artefact(format!("what {} hands out beside its evidence is unusable: {why}", server.name()), hint)
        }),
        404 | 405 => Ok(None),
        _ => Err(Error::host(
            format!("{} does not say what it hands out beside its evidence: {}", server.name(), answer.code()),
            "try again, or give --statement and --proof",
        )),
    }
}

fn question(nonce: Sha256) -> Result<Vec<u8>> {
    to_canonical_json(&EvidenceRequest { v: VERSION, nonce })
}

/// M1 → M2.
fn ask(server: &Server, m1: &[u8]) -> Result<Vec<u8>> {
    let m2 = server.ask(EVIDENCE_PATH, JSON, m1, EVIDENCE_LIMIT)?;
    if m2.status != 200 {
        return Err(Error::host(
            format!("{} gives no evidence: {}", server.name(), m2.code()),
            "try again; if it stays, the server cannot prove anything",
        ));
    }
    Ok(m2.body)
}

fn activate(server: &Server, m1: &[u8], m2: &[u8]) -> Result<Answer> {
    let secret = random()?;
    let m3 = match challenge(m1, m2, &secret) {
        Ok(m3) => m3,
        Err(why) => return Ok(Answer::NotAsked(why)),
    };
    let m4 = server.ask(ACTIVATE_PATH, JSON, &m3, REQUEST_LIMIT)?;
    match m4.status {
        200 => Ok(Answer::Given { m3, m4: m4.body, secret }),
        // busy or broken: says nothing about the evidence
        429 | 502..=504 => Err(Error::host(format!("{} does not activate: {}", server.name(), m4.code()), "try again")),
        _ => Ok(Answer::Refused(m4.code())),
    }
}

/// M3, or why none can be made for this evidence.
fn challenge(m1: &[u8], m2: &[u8], secret: &[u8; 32]) -> std::result::Result<Vec<u8>, String> {
    let evidence: Evidence = serde_json::from_slice(m2).map_err(|_| "the evidence cannot be read (V02)")?;
    let unreadable = |_| "a key's public area cannot be read (V02)";
    let ek = Public::parse(&evidence.ek_pub).map_err(unreadable)?;
    let name = Public::parse(&evidence.ak_pub).map_err(unreadable)?.name().ok_or("the AK has no SHA-256 name (V05)")?;
    let credential = make_credential(&ek, &name, secret).map_err(|e| e.what)?;
    let request = ActivationRequest {
        v: VERSION,
        transcript: transcript(m1, m2),
        credential: credential.id_object,
        secret: credential.encrypted_secret,
    };
    to_canonical_json(&request).map_err(|e| e.what)
}
