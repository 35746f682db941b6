//! `vitrine inspect`

use super::Outcome;
use crate::cli::Inspect;
use crate::inspect::{inspect, Inspection};
use std::fmt::Write as _;
use vitrine_attest::Result;

pub fn run(args: &Inspect) -> Result<Outcome> {
    let inspection = inspect(&args.path)?;
    Outcome::new(text(&inspection)?, &inspection)
}

/// Writing to a String cannot fail, so the results of `writeln!` are dropped.
fn text(inspection: &Inspection) -> Result<String> {
    let image = &inspection.image;
    let mut out = String::new();
    if let Some(fingerprint) = &inspection.fingerprint {
        let _ = writeln!(out, "{fingerprint}");
    }
    let _ = writeln!(out, "image         {}", image.image_id);
    let _ = writeln!(out, "size          {} bytes, {} signature(s)", image.size, image.signatures);
    let _ = writeln!(out, "sha256        {}", image.sha256);
    let _ = writeln!(out, "authenticode  {}", image.authenticode);
    let _ = writeln!(out, "stub          systemd-stub {}", image.stub_version);
    let _ = writeln!(out, "kernel        {}", image.kernel_release);
    let _ = writeln!(out, "command line  {}", image.cmdline);
    let _ = writeln!(out, "config        {}", image.config_digest);
    let _ = writeln!(out, "              {}", String::from_utf8_lossy(&image.config.canonical()?));
    let _ = writeln!(out, "\nos-release\n  {}", image.os_release.trim_end().replace('\n', "\n  "));
    let _ = writeln!(out, "\nsections");
    for section in &image.sections {
        let _ = writeln!(out, "  {:<10} {:>10}  {}", section.name, section.size, section.sha256);
    }
    let _ =
        writeln!(out, "\ninitramfs: {} entries\n  {:<14} {:>10} {:>10}", image.entries, "layer", "packed", "unpacked");
    for layer in &image.layers {
        let _ = writeln!(out, "  {:<14} {:>10} {:>10}", layer.name, layer.packed, layer.unpacked);
    }
    let of_config = match image.firewall_is_of_config {
        true => "what this version makes from the configuration",
        false => "not what this version makes from the configuration",
    };
    let rules = image.firewall.to_string();
    let _ = writeln!(out, "\nfirewall: {of_config}\n  {}", rules.trim_end().replace('\n', "\n  "));
    if !inspection.files.is_empty() {
        let _ = writeln!(out, "\nfiles");
    }
    for file in &inspection.files {
        let _ = writeln!(out, "  {:<22} {:>10}  {}", file.name, file.size, file.sha256);
    }
    Ok(out)
}
