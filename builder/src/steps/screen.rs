//! Step 4: what must not be in an image is taken out, and what is left is searched for it.

use super::{Origin, Staged, Workshop};
use crate::maker;
use crate::out::{self, Leaves, Left};
use serde::Serialize;
use std::sync::Arc;
use vitrine_attest::evidence::is_dev_name;
use vitrine_attest::{Error, Result};
use vitrine_initramfs::{app_digest, mask, screen, Context, Masked, Memo, Policy, Report};

/// `4-screen.json`: the report's fields, and what was masked before.
#[derive(Debug, Serialize)]
pub struct Findings {
    #[serde(flatten)]
    pub report: Report,
    pub masked: Vec<Masked>,
}

/// A tree that the screen let through, and what goes into the image beside it.
#[derive(Debug)]
pub struct Screened {
    pub(super) origin: Origin,
    pub(super) os_release: String,
    pub(super) tree: vitrine_initramfs::Screened,
    pub(super) report: Report,
    pub(super) kernel: Arc<Vec<u8>>,
    pub(super) kernel_release: String,
    pub(super) stub: Arc<Vec<u8>>,
}

impl Screened {
    /// Masks and screens. `keep` gets the findings in either case, before a refusal ends the build.
    ///
    /// # Errors
    /// Blame Artefact, with all findings that no waiver accepts.
    pub fn new(staged: Staged, with: &Workshop, keep: impl FnOnce(&Findings) -> Result<()>) -> Result<Self> {
        let Staged { origin, os_release, inner } = staged;
        let recipe = origin.locked.recipe();
        let cache = with.cache();
        let context = Context {
            cmdline: Some(recipe.image.cmdline.clone()),
            dev: is_dev_name(&origin.id.name),
            modules: recipe.image.modules.clone(),
            kernel: Some(&inner.kernel.bytes),
            kernel_sha256: Some(inner.kernel.sha256),
            memo: maker::identity().map(|maker| Memo { cache: &cache, maker }),
            ..Context::default()
        };
        let policy = Policy::standard();
        let (tree, late) = mask(inner.tree, &policy);
        let mut masked = inner.masked;
        if origin.app.as_ref().is_some_and(|app| app_digest(&tree) != Some(app.files)) {
            return Err(Error::bug("a mask took something out of the root of [app], which has no mask"));
        }
        masked.extend(late);
        masked.sort_by(|a, b| (&a.path, a.action).cmp(&(&b.path, b.action)));
        let (tree, report) = match screen(tree, &context, &policy, &recipe.waivers) {
            Ok((tree, report)) => (Some(tree), report),
            Err(report) => (None, *report),
        };
        let findings = Findings { report, masked };
        keep(&findings)?;
        let tree = tree.ok_or_else(|| refusal(&findings.report))?;
        let (kernel, kernel_release, stub) = (inner.kernel.bytes, inner.kernel_release, inner.stub.bytes);
        Ok(Self { origin, os_release, tree, report: findings.report, kernel, kernel_release, stub })
    }
}

fn refusal(report: &Report) -> Error {
    let text = report.to_string();
    Error::artefact(
        format!("the screen refuses this image, {} finding(s)\n{}", report.open().count(), text.trim_end()),
        "change the recipe as each finding says, or accept it with a [[waiver]] that is published with the image",
    )
}

impl Leaves for Findings {
    fn files(&self) -> Result<Left<'_>> {
        let mut bytes =
            serde_json::to_vec_pretty(self).map_err(|e| Error::bug(format!("findings have no JSON form: {e}")))?;
        bytes.push(b'\n');
        Ok(vec![(out::SCREEN, bytes.into())])
    }
}
