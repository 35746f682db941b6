//! What the three paths do.

use crate::channel::{Hello, Orders};
use crate::fault::Fault;
use crate::http::{Refusal, Response};
use crate::queue::Queue;
use crate::server::Handler;
use crate::tpm::{Identity, Quoter};
use serde::Deserialize;
use vitrine_attest::boot::RuntimeEvent;
use vitrine_attest::credential::proof;
use vitrine_attest::evidence::{
    ActivationRequest, ActivationResponse, Binding, Evidence, EvidenceRequest, ACTIVATE_PATH, EVIDENCE_PATH,
    ORDER_PATH, VERSION,
};
use vitrine_attest::Sha256;

/// Everything a request can reach.
pub struct Service<Q> {
    pub hello: Hello,
    pub identity: Identity,
    pub runtime_log: Vec<RuntimeEvent>,
    pub queue: Queue<Q>,
    pub orders: &'static Orders,
}

impl<Q: Quoter> Handler for Service<Q> {
    fn answer(&self, path: &str, body: &[u8]) -> Response {
        let answer = match path {
            EVIDENCE_PATH => self.evidence(body),
            ACTIVATE_PATH => self.activate(body),
            ORDER_PATH => self.order(body),
            _ => Err(Refusal::NotFound),
        };
        answer.unwrap_or_else(Response::from)
    }
}

impl<Q: Quoter> Service<Q> {
    /// M1 → M2.
    fn evidence(&self, body: &[u8]) -> Result<Response, Refusal> {
        let request: EvidenceRequest = message(body)?;
        right_version(request.v)?;
        let extra_data = self.binding(&request.nonce).extra_data();
        let quote = self.queue.run(move |tpm| tpm.quote(&extra_data)).map_err(refusal)?;
        Ok(Response::json(&Evidence {
            v: VERSION,
            nonce: request.nonce,
            ek_cert: self.identity.ek_cert.clone(),
            ek_pub: self.identity.ek_pub.clone(),
            ak_pub: self.identity.ak_pub.clone(),
            attest: quote.attest,
            signature: quote.signature,
            firmware_log: self.hello.firmware_log.clone(),
            runtime_log: self.runtime_log.clone(),
            wg_pub: self.hello.wg_pub,
            channel_pub: self.hello.channel_pub,
            image_id: self.hello.image_id.clone(),
        }))
    }

    fn binding<'a>(&'a self, nonce: &'a Sha256) -> Binding<'a> {
        Binding {
            nonce,
            wg_pub: &self.hello.wg_pub,
            channel_pub: &self.hello.channel_pub,
            config_digest: &self.hello.config_digest,
            image_id: &self.hello.image_id,
        }
    }

    /// M3 → M4. Nothing is remembered between M1 and M3: the client's transcript goes into the proof as it is.
    fn activate(&self, body: &[u8]) -> Result<Response, Refusal> {
        let request: ActivationRequest = message(body)?;
        right_version(request.v)?;
        let secret = self.queue.run(move |tpm| tpm.activate(&request.credential, &request.secret)).map_err(refusal)?;
        Ok(Response::json(&ActivationResponse { v: VERSION, proof: proof(&secret, body) }))
    }

    /// The sealed order goes to init, which alone can open it.
    fn order(&self, body: &[u8]) -> Result<Response, Refusal> {
        if body.is_empty() {
            return Err(Refusal::Message);
        }
        let answer = self.orders.send(body).ok_or(Refusal::Busy)?;
        Ok(match answer.code {
            None if answer.accepted => Response::no_content(),
            Some(code) if !answer.accepted && is_code(&code) => Response::code(403, &code),
            _ => Response::code(403, "order"),
        })
    }
}

fn message<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|_| Refusal::Message)
}

fn right_version(version: u32) -> Result<(), Refusal> {
    (version == VERSION).then_some(()).ok_or(Refusal::MessageVersion)
}

fn refusal(fault: Fault) -> Refusal {
    match fault {
        Fault::Busy => Refusal::Busy,
        Fault::Tpm => Refusal::Tpm,
        Fault::Request => Refusal::Credential,
    }
}

/// A fixed word of init; anything else is not passed on.
fn is_code(code: &str) -> bool {
    (1..=32).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
