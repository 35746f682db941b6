//! The page for people: one file without scripts and without anything from elsewhere. What is wrong stands first. Everything
//! that comes from a log or a server is somebody else's text, and is escaped.

use super::log::known;
use crate::commands::fleet::{ago, escape, time};
use crate::monitor::{Alert, Changed, LogState, ReleaseSeen, ServerState, State, Watched};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use vitrine_attest::event_log::printable;

/// Most releases of one log, and most alerts of one list, that are shown.
const SHOWN: usize = 200;
/// Seconds after which the browser asks again.
const RELOAD: u32 = 60;
const STYLE: &str = concat!(include_str!("../fleet/page.css"), include_str!("page.css"));

/// What the page and the metrics are made of.
pub(super) struct View<'r> {
    pub state: &'r State,
    pub watched: &'r [Watched],
    pub troubles: &'r BTreeMap<String, String>,
    /// Seconds since 1970, as are all times here.
    pub now: u64,
}

impl View<'_> {
    fn open(&self) -> Vec<&Alert> {
        let mut open: Vec<_> = self.state.alerts.iter().filter(|alert| alert.is_open()).collect();
        open.sort_by_key(|alert| (place(alert), alert.first));
        open
    }
}

/// Worst first.
fn place(alert: &Alert) -> usize {
    crate::monitor::Kind::ALL.iter().position(|kind| *kind == alert.kind).unwrap_or(usize::MAX)
}

pub(super) fn html(view: &View<'_>) -> String {
    let mut out = String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    let open = view.open();
    let (class, words) = match (open.len(), view.troubles.len()) {
        (0, 0) => ("accepted", "Nothing is wrong".to_owned()),
        (0, 1) => ("unreachable", "1 thing could not be looked at".into()),
        (0, many) => ("unreachable", format!("{many} things could not be looked at")),
        (1, _) => ("rejected", "1 alert".into()),
        (many, _) => ("rejected", format!("{many} alerts")),
    };
    let _ = write!(
        out,
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta http-equiv=\"refresh\" content=\"{RELOAD}\">\n<title>{words} – logs</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header class=\"{class}\">\n<h1>{words}</h1>\n<ul class=\"counts\">\n<li><b>{}</b> logs</li><li><b>{}</b> releases</li>\
         <li><b>{}</b> servers</li></ul>\n</header>\n",
        view.watched.len(),
        view.state.logs.values().map(|log| log.releases.len()).sum::<usize>(),
        view.state.servers.len()
    );
    alerts(&mut out, "Open alerts", &open, view.now);
    troubles(&mut out, view);
    logs(&mut out, view);
    servers(&mut out, view);
    for watched in view.watched {
        if let Some(log) = view.state.logs.get(&watched.origin) {
            releases(&mut out, &watched.origin, log, view.now);
        }
    }
    let mut closed: Vec<_> = view.state.alerts.iter().filter(|alert| !alert.is_open()).collect();
    closed.sort_by_key(|alert| std::cmp::Reverse(alert.last));
    alerts(&mut out, "Mended and acknowledged", &closed, view.now);
    let _ = write!(
        out,
        "<footer>Written {} by <code>vitrine-verify monitor</code>. If this time is old, nobody looks. A monitor shows what it was \
         shown; whether others are shown the same is known only as far as witnesses and mirrors are independent.</footer>\n</body>\n</html>\n",
        time(view.now)
    );
    out
}

fn table(out: &mut String, title: &str, count: usize, heads: &str, rows: &str) {
    if !rows.is_empty() {
        let _ = write!(
            out,
            "<section>\n<h2>{title} <small>{count}</small></h2>\n<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
        );
        if count > SHOWN {
            let _ = writeln!(out, "<p>and {} more, which are not shown.</p>", count - SHOWN);
        }
        out.push_str("</section>\n");
    }
}

fn alerts(out: &mut String, title: &str, alerts: &[&Alert], now: u64) {
    let mut rows = String::new();
    for alert in alerts.iter().take(SHOWN) {
        let class = if alert.is_open() { "rejected" } else { "waiting" };
        let ended = match (alert.mended, alert.acknowledged) {
            (Some(at), _) => format!("<small>mended {}</small>", ago(at, now)),
            (None, true) => "<small>acknowledged</small>".into(),
            _ => String::new(),
        };
        let evidence = alert.evidence.as_ref().map(|name| format!("<small>evidence: {}</small>", escape(name)));
        let _ = writeln!(
            rows,
            "<tr class=\"{class}\"><td><span class=\"state\">{}</span><small>{}</small>{ended}<td data-label=\"Since\">{}\
             <td class=\"words\">{}<small>{}</small>{}<small>id: {}</small></tr>",
            alert.kind.word(),
            escape(&alert.about),
            ago(alert.first, now),
            escape(&alert.what),
            escape(alert.kind.advice()),
            evidence.unwrap_or_default(),
            escape(&alert.id)
        );
    }
    table(out, title, alerts.len(), "<th>Alert<th>Since<th>What", &rows);
}

fn troubles(out: &mut String, view: &View<'_>) {
    let row = |(about, why): (&String, &String)| {
        format!("<tr class=\"unreachable\"><td><b>{}</b><td class=\"words\">{}</tr>\n", escape(about), escape(why))
    };
    let rows: String = view.troubles.iter().take(SHOWN).map(row).collect();
    table(out, "Could not be looked at", view.troubles.len(), "<th>What<th>Why", &rows);
}

fn logs(out: &mut String, view: &View<'_>) {
    let mut rows = String::new();
    for watched in view.watched {
        let name = escape(&watched.origin);
        let Some((log, newest)) = view.state.logs.get(&watched.origin).and_then(|log| Some((log, known(Some(log))?)))
        else {
            let _ =
                writeln!(rows, "<tr class=\"waiting\"><td><b>{name}</b><td>–<td>–<td class=\"words\">never seen</tr>");
            continue;
        };
        let wrong = view.open().iter().any(|alert| alert.about == printable(&watched.origin));
        let size = newest.checkpoint.size;
        let read = if log.read.size == size { String::new() } else { format!("<small>{} read</small>", log.read.size) };
        let age = log.since.map_or("nobody says".into(), |since| ago(since, view.now));
        let asked = watched.witnesses.len();
        let _ = writeln!(
            rows,
            "<tr class=\"{}\"><td><b>{name}</b><small>seen {}</small><td data-label=\"Entries\">{size}{read}\
             <td data-label=\"Cosigned\">{age}<td class=\"words\">{} <small>{asked} witnesses are asked</small>\
             <small class=\"mono\">{}</small></tr>",
            if wrong { "rejected" } else { "accepted" },
            ago(log.looked, view.now),
            if log.witnesses.is_empty() {
                "no witnesses".into()
            } else {
                escape(&printable(&log.witnesses.join(", ")))
            },
            newest.checkpoint.root
        );
    }
    table(out, "Logs", view.watched.len(), "<th>Log<th>Entries<th>Cosigned<th>Witnesses, root", &rows);
}

fn servers(out: &mut String, view: &View<'_>) {
    let mut servers: Vec<(&String, &ServerState)> = view.state.servers.iter().collect();
    servers.sort_by_key(|(_, server)| server.seen == "accepted");
    let mut rows = String::new();
    for (name, server) in servers.iter().take(SHOWN) {
        let class = match server.seen.as_str() {
            "accepted" => "accepted",
            "could-not-judge" => "could-not-judge",
            _ => "rejected",
        };
        let entry = server.release.map(|index| format!("<small>entry {index} of the log</small>")).unwrap_or_default();
        let _ = writeln!(
            rows,
            "<tr class=\"{class}\"><td><b>{}</b><small>seen {}</small><td><span class=\"state\">{}</span>\
             <td data-label=\"Accepted last\">{}<td class=\"words\">{}{entry}</tr>",
            escape(&printable(name)),
            ago(server.looked, view.now),
            escape(&server.seen),
            server.accepted.map_or("never".into(), |at| ago(at, view.now)),
            escape(&printable(&server.words))
        );
    }
    table(out, "Servers", servers.len(), "<th>Server<th>State<th>Accepted last<th>Runs", &rows);
}

fn releases(out: &mut String, origin: &str, log: &LogState, now: u64) {
    let mut rows = String::new();
    let mut all: Vec<&ReleaseSeen> = log.releases.iter().collect();
    all.sort_by(|a, b| (&a.name, b.index).cmp(&(&b.name, a.index)));
    for release in all.iter().take(SHOWN) {
        release_row(&mut rows, log, release, now);
    }
    let title = format!("Releases in {}", escape(&printable(origin)));
    table(out, &title, all.len(), "<th>Release<th>Entry<th>Read<th>What has changed", &rows);
}

fn release_row(rows: &mut String, log: &LogState, release: &ReleaseSeen, now: u64) {
    let fingerprint = release.fingerprint.to_string();
    let revoked = log.revocations.iter().find(|revocation| {
        revocation.fingerprint.as_ref() == Some(&fingerprint) || revocation.statement == Some(release.envelope)
    });
    let verdicts = |equal| log.verdicts.iter().filter(|v| v.image == release.image && v.equal == equal).count();
    let (same, other) = (verdicts(true), verdicts(false));
    let class = if revoked.is_some() || other > 0 { "rejected" } else { "accepted" };
    let mut words = String::new();
    if let Some(revoked) = revoked {
        let text = printable(&format!("revoked {}, {}: {}", revoked.date, revoked.reason, revoked.text));
        let _ = write!(words, "<p class=\"revoked\">{}</p>", escape(&text));
    }
    match log.screens.get(&release.image) {
        Some(screen) => {
            let _ = write!(
                words,
                "<p>Screen: {} rules, {} findings accepted <small class=\"mono\">zero-log hash {}</small></p>",
                screen.rules, screen.accepted, screen.hash
            );
        }
        None => words.push_str("<p>Screen: no statement in the log</p>"),
    }
    if let Some(verdict) = log.reports.get(&release.authenticode) {
        let _ = write!(words, "<p>Behavioural proof: {}</p>", escape(&printable(verdict)));
    }
    let _ = write!(words, "<p>Rebuilt: {same} times the same, {other} times another image</p>");
    let _ = write!(words, "<p>{} packages and programs, {} waivers</p>", release.packages, release.waivers);
    changes(&mut words, release);
    let not_after = release.not_after.as_ref().map(|day| format!("<small>until {}</small>", escape(&printable(day))));
    let _ = writeln!(
        rows,
        "<tr class=\"{class}\"><td><b>{} {}</b><small class=\"mono\">{fingerprint}</small><small>signed by {}</small>{}\
         <td data-label=\"Entry\">{}<small>seq {}</small><td data-label=\"Read\">{}<td class=\"words\">{words}</tr>",
        escape(&printable(&release.name)),
        escape(&printable(&release.version)),
        escape(&printable(&release.signers.join(", "))),
        not_after.unwrap_or_default(),
        release.index,
        release.seq,
        ago(release.seen, now)
    );
}

fn changes(words: &mut String, release: &ReleaseSeen) {
    let Some(changes) = &release.changes else { return };
    let _ = write!(words, "<details open><summary>since entry {}</summary>", changes.since);
    let lists = [
        ("added", &changes.added),
        ("removed", &changes.removed),
        ("changed", &changes.changed),
        ("new waivers", &changes.waived),
    ];
    let mut any = changes.config || changes.waivers_gone > 0 || changes.cmdline.is_some();
    for (title, changed) in lists.into_iter().filter(|(_, changed)| changed.count > 0) {
        any = true;
        list(words, title, changed);
    }
    if changes.waivers_gone > 0 {
        let _ = write!(words, "<p>{} waivers gone</p>", changes.waivers_gone);
    }
    if changes.config {
        words.push_str("<p>another configuration</p>");
    }
    if let Some((before, now)) = &changes.cmdline {
        let (before, now) = (escape(before), escape(now));
        let _ = write!(
            words,
            "<p>command line</p><p class=\"mono\"><del>{before}</del></p><p class=\"mono\"><ins>{now}</ins></p>"
        );
    }
    if !any {
        words.push_str("<p>the same packages, waivers, configuration and command line</p>");
    }
    words.push_str("</details>");
}

fn list(words: &mut String, title: &str, changed: &Changed) {
    let _ = write!(words, "<p>{title}: {}</p><ul>", changed.count);
    for text in &changed.first {
        let _ = write!(words, "<li>{}</li>", escape(text));
    }
    if let Some(more) = changed.count.checked_sub(changed.first.len() as u64).filter(|more| *more > 0) {
        let _ = write!(words, "<li>and {more} more</li>");
    }
    words.push_str("</ul>");
}
