//! The page for people: one file without scripts and without anything from elsewhere. What is wrong stands first.

use super::track::{State, Track};
use super::view::View;
use crate::checks;
use crate::clock::timestamp;
use crate::fleet::Member;
use std::fmt::Write as _;
use vitrine_attest::event_log::printable;

/// Most servers of a list that are shown: beyond, a browser on a phone gives up.
const SHOWN: usize = 2000;
/// Seconds after which the browser asks again.
const RELOAD: u32 = 30;
const STYLE: &str = include_str!("page.css");

pub fn html(view: &View<'_>) -> String {
    let mut out = String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    let _ = write!(
        out,
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta http-equiv=\"refresh\" content=\"{RELOAD}\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n",
        title(view)
    );
    header(&mut out, view);
    let mut wrong: Vec<_> = view.servers().filter(|(_, track)| track.state() < State::Waiting).collect();
    // worst first, then what has been so for longest
    wrong.sort_by_key(|(_, track)| (track.state(), track.since));
    list(&mut out, "Needs attention", &wrong, view.now);
    let waiting: Vec<_> = view.servers().filter(|(_, track)| track.state() == State::Waiting).collect();
    list(&mut out, "Not looked at yet", &waiting, view.now);
    let accepted: Vec<_> = view.servers().filter(|(_, track)| track.state() == State::Accepted).collect();
    list(&mut out, "Accepted", &accepted, view.now);
    let _ = write!(
        out,
        "<footer>Written {} by <code>vitrine-verify watch</code>, which has watched since {} and looked {} times. If the first \
         time is old, nobody watches. A verdict shows what was booted, not that nothing was broken into since.</footer>\n\
         </body>\n</html>\n",
        time(view.now),
        time(view.started),
        view.durations.looks()
    );
    out
}

/// What a tab shows: how many are wrong.
fn title(view: &View<'_>) -> String {
    let (all, accepted) = (view.tracks.len(), view.count(State::Accepted));
    if accepted == all {
        format!("{all} accepted")
    } else {
        format!("{} of {all} not accepted", all - accepted)
    }
}

fn header(out: &mut String, view: &View<'_>) {
    let (all, accepted) = (view.tracks.len(), view.count(State::Accepted));
    let (class, words) = match (accepted == all, view.count(State::Rejected)) {
        (true, _) => ("accepted", format!("All {all} servers are accepted")),
        (false, 0) if view.count(State::Waiting) == all - accepted => ("waiting", "The first round is going on".into()),
        (false, 0) => ("unreachable", "No server is rejected, some could not be judged".into()),
        (false, 1) => ("rejected", "1 server is rejected".into()),
        (false, count) => ("rejected", format!("{count} servers are rejected")),
    };
    let _ = write!(out, "<header class=\"{class}\">\n<h1>{words}</h1>\n<ul class=\"counts\">\n");
    for state in State::ALL {
        let count = view.count(state);
        if count > 0 || state == State::Accepted {
            let _ = writeln!(out, "<li class=\"{}\"><b>{count}</b> {}</li>", state.name(), in_words(state));
        }
    }
    out.push_str("</ul>\n</header>\n");
}

fn list(out: &mut String, title: &str, servers: &[(&Member, &Track)], now: u64) {
    if servers.is_empty() {
        return;
    }
    let _ = write!(out, "<section>\n<h2>{title} <small>{}</small></h2>\n", servers.len());
    out.push_str(
        "<table>\n<thead><tr><th>Server<th>State<th>Since<th>Accepted last<th>Details</tr></thead>\n<tbody>\n",
    );
    for (member, track) in servers.iter().take(SHOWN) {
        row(out, member, track, now);
    }
    out.push_str("</tbody>\n</table>\n");
    if let Some(more) = servers.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(out, "<p>and {more} more, which are not shown; the metrics name all.</p>");
    }
    out.push_str("</section>\n");
}

fn row(out: &mut String, member: &Member, track: &Track, now: u64) {
    let state = track.state();
    let since = if state == State::Waiting { "–".into() } else { ago(track.since, now) };
    let accepted = track.accepted.map_or("never".into(), |at| ago(at, now));
    let _ = writeln!(
        out,
        "<tr class=\"{}\"><td><b>{}</b><small>{}</small><td><span class=\"state\">{}</span>\
         <td data-label=\"Since\">{since}<td data-label=\"Accepted last\">{accepted}<td class=\"words\">{}</tr>",
        state.name(),
        escape(&member.name),
        escape(&member.url),
        in_words(state),
        details(track)
    );
}

/// Reasons with what each check is about; else the words of the line.
fn details(track: &Track) -> String {
    if track.state() != State::Rejected {
        return escape(&printable(&track.words()));
    }
    let item = |reason: &str| {
        let check = checks::ALL.iter().find(|check| reason.starts_with(check.code));
        let title = check.map(|check| format!("<small>does not hold: {}</small>", escape(check.title)));
        format!("<li>{} {}</li>", escape(&printable(reason)), title.unwrap_or_default())
    };
    let items: String = track.reasons().into_iter().map(item).collect();
    format!("<ul>{items}</ul>")
}

fn in_words(state: State) -> &'static str {
    match state {
        State::Rejected => "rejected",
        State::CouldNotJudge => "could not judge",
        State::Unreachable => "unreachable",
        State::Waiting => "not looked at yet",
        State::Accepted => "accepted",
    }
}

pub(in crate::commands) fn time(at: u64) -> String {
    let stamp = timestamp(at);
    format!("<time datetime=\"{stamp}\">{}</time>", stamp.replace('T', " ").replace('Z', " UTC"))
}

/// `12 min ago`, with the exact time for who points at it.
pub(in crate::commands) fn ago(at: u64, now: u64) -> String {
    let seconds = now.saturating_sub(at);
    let words = match seconds {
        0..=119 => format!("{seconds} s ago"),
        120..=7_199 => format!("{} min ago", seconds / 60),
        7_200..=172_799 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    };
    let stamp = timestamp(at);
    format!("<time datetime=\"{stamp}\" title=\"{stamp}\">{words}</time>")
}

pub(in crate::commands) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::metrics::Durations;
    use super::super::track::tests::{accepted, track};
    use super::*;
    use crate::commands::watch::state::Seen;

    #[test]
    fn strangers_texts_stay_texts() {
        let text = "version = 1\n[defaults]\nstatement = \"s\"\nkey = \"k\"\n[[server]]\nname = \"<b>&'\"\nurl = \"http://a:1\"\n[[server]]\nname = \"z\"\nurl = \"http://a:2\"\n";
        let fleet = crate::fleet::parse(text, std::path::Path::new("")).unwrap();
        let hostile = "<script src=\"http://x\"></script>\u{202e}\u{1b}";
        let tracks = [track(vec![(accepted(1, 0), 40)]), track(vec![(Seen::Unreachable(hostile.into()), 95)])];
        let view = View { fleet: &fleet, tracks: &tracks, durations: &Durations::default(), now: 100_000, started: 1 };
        let page = html(&view);
        assert!(!page.contains("<script") && !page.contains('\u{202e}') && !page.contains('\u{1b}'), "{page}");
        assert!(
            page.contains("&lt;b&gt;&amp;&#39;") && page.contains("1 of 2 not accepted") && page.contains("27 h ago")
        );
        let order: Vec<usize> = ["Needs attention", "&lt;script", "Accepted <small>1<", "&lt;b&gt;"]
            .map(|part| page.find(part).unwrap_or_else(|| panic!("{part} is not in {page}")))
            .into();
        assert!(order.is_sorted(), "{order:?}");
        for elsewhere in ["src=\"http", "href=", "url(", "@import"] {
            assert!(!page.replace("&quot;", "").contains(elsewhere) || elsewhere == "src=\"http", "{elsewhere}");
        }
    }

    #[test]
    fn most_rows() {
        let head = "version = 1\n[defaults]\nstatement = \"s\"\nkey = \"k\"\n".to_owned();
        let text =
            (0..SHOWN + 5).fold(head, |text, n| text + &format!("[[server]]\nname = \"s{n}\"\nurl = \"http://a:1\"\n"));
        let fleet = crate::fleet::parse(&text, std::path::Path::new("")).unwrap();
        let tracks: Vec<Track> = fleet.members.iter().map(|_| track(vec![(accepted(1, 0), 40)])).collect();
        let view = View { fleet: &fleet, tracks: &tracks, durations: &Durations::default(), now: 50, started: 1 };
        let page = html(&view);
        assert_eq!(page.matches("<tr class").count(), SHOWN);
        assert!(page.contains("and 5 more") && page.contains("All 2005 servers are accepted"));
    }
}
