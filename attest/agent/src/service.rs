//! What the four paths do.

use crate::fault::Fault;
use crate::gather::{Gathering, Quoted, Subject};
use crate::http::{Method, Refusal, Response};
use crate::init::{Answer, Init};
use crate::queue::Queue;
use crate::server::Handler;
use crate::tpm::{Identity, Quoter};
use serde::Deserialize;
use std::sync::Arc;
use vitrine_attest::attachments::{Attached, ATTACHMENTS_LIMIT, ATTACHMENTS_PATH};
use vitrine_attest::batch::Challenge;
use vitrine_attest::boot::RuntimeEvent;
use vitrine_attest::credential::proof;
use vitrine_attest::evidence::{
    ActivationRequest, ActivationResponse, Binding, Evidence, EvidenceRequest, ACTIVATE_PATH, EVIDENCE_PATH,
    ORDER_PATH, REQUEST_LIMIT, VERSION,
};
use vitrine_attest::inside::Introduction;
use vitrine_attest::order::ORDER_LIMIT;
use vitrine_attest::rotation::RotatedKey;
use vitrine_attest::watch::Rule;

/// Everything a request can reach.
pub struct Service<Q> {
    /// Its rotated keys are those of [`Self::init`].
    pub introduction: Arc<Introduction>,
    pub identity: Identity,
    /// The events of PCR 15.
    pub runtime_log: Vec<RuntimeEvent>,
    pub queue: Queue<Q>,
    pub gathering: Gathering,
    pub init: &'static Init,
}

impl<Q: Quoter> Handler for Service<Q> {
    fn answer(&self, method: Method, path: &str, body: &[u8]) -> Response {
        let answer = match (path, method) {
            (EVIDENCE_PATH, Method::Post) => self.evidence(body),
            (ACTIVATE_PATH, Method::Post) => self.activate(body),
            (ORDER_PATH, Method::Post) => self.order(body),
            (EVIDENCE_PATH | ACTIVATE_PATH | ORDER_PATH, Method::Get) => Err(Refusal::OnlyPost),
            (ATTACHMENTS_PATH, Method::Post) => self.bring(body),
            (ATTACHMENTS_PATH, Method::Get) => self.attachments(),
            _ => Err(Refusal::NotFound),
        };
        answer.unwrap_or_else(Response::from)
    }

    fn limit(&self, path: &str) -> usize {
        match path {
            ORDER_PATH => ORDER_LIMIT,
            ATTACHMENTS_PATH => ATTACHMENTS_LIMIT,
            _ => REQUEST_LIMIT,
        }
    }
}

impl<Q: Quoter> Service<Q> {
    /// M1 → M2.
    fn evidence(&self, body: &[u8]) -> Result<Response, Refusal> {
        let request: EvidenceRequest = message(body)?;
        right_version(request.v)?;
        let (introduction, init) = (Arc::clone(&self.introduction), self.init);
        let subject = move |challenge| subject(&introduction, init, challenge);
        let share = self.gathering.quote(&self.queue, request.nonce, subject).map_err(refusal)?;
        let Quoted { quote, subject } = &*share.quoted;
        Ok(Response::json(&Evidence {
            v: VERSION,
            nonce: request.nonce,
            ek_cert: self.identity.ek_cert.clone(),
            ek_pub: self.identity.ek_pub.clone(),
            ak_pub: self.identity.ak_pub.clone(),
            attest: quote.attest.clone(),
            signature: quote.signature.clone(),
            firmware_log: self.introduction.firmware_log.clone(),
            runtime_log: self.runtime_log.iter().cloned().chain(subject.violation.map(Rule::event)).collect(),
            keys: self.introduction.keys.clone(),
            rotated: subject.rotated.clone(),
            image_id: self.introduction.image_id.clone(),
            batch: share.batch,
        }))
    }

    /// M3 → M4. Nothing is remembered between M1 and M3: the client's transcript goes into the proof as it is.
    fn activate(&self, body: &[u8]) -> Result<Response, Refusal> {
        let request: ActivationRequest = message(body)?;
        right_version(request.v)?;
        let secret = self.queue.run(move |tpm| tpm.activate(&request.credential, &request.secret)).map_err(refusal)?;
        Ok(Response::json(&ActivationResponse { v: VERSION, proof: proof(&secret, body) }))
    }

    /// The sealed order goes to init, which alone can open it and seal an answer to who sent it.
    fn order(&self, body: &[u8]) -> Result<Response, Refusal> {
        if body.is_empty() {
            return Err(Refusal::Message);
        }
        match self.init.order(body).ok_or(Refusal::Busy)? {
            Answer::Sealed(answer) => Ok(Response::bytes_of(answer)),
            Answer::Refused(code) if is_code(&code) => Ok(Response::code(403, &code)),
            Answer::Refused(_) => Ok(Response::code(403, "order")),
        }
    }

    /// What the owner has ordered, from whoever brings it.
    fn bring(&self, body: &[u8]) -> Result<Response, Refusal> {
        let attached = self.init.attachments.bring(body).ok_or(Refusal::NotOrdered)?;
        Ok(Response::json(&Attached { attached }))
    }

    /// As it was brought. No evidence depends on it, and the TPM is not asked.
    fn attachments(&self) -> Result<Response, Refusal> {
        self.init.attachments.get().map(|bytes| Response::bytes_of(bytes.to_vec())).ok_or(Refusal::NotFound)
    }
}

/// What is quoted right now.
fn subject(introduction: &Introduction, init: &Init, challenge: Challenge) -> Subject {
    // taken once: what is quoted and what is sent are the same keys, whenever init rotates
    let rotated = init.rotated();
    // before the quote: init tells us once PCR 14 is extended, so what is known here is quoted
    let violation = init.violation();
    let extra_data = binding(introduction, challenge, &rotated).extra_data();
    Subject { extra_data, rotated, violation }
}

fn binding<'a>(introduction: &'a Introduction, challenge: Challenge, rotated: &'a [RotatedKey]) -> Binding<'a> {
    Binding {
        challenge,
        keys: &introduction.keys,
        rotated,
        config_digest: &introduction.config_digest,
        image_id: &introduction.image_id,
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
