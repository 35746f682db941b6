//! Copies of users' traffic found over time, as a picture (SVG 1.1): one line for each server.

use super::canary::Kind;
use super::report::{Demand, Moment};
use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 360.0;
/// Of the plot inside: left, top, right, bottom.
const FRAME: [f64; 4] = [70.0, 50.0, 730.0, 300.0];
const COLOURS: [&str; 4] = ["#b3261e", "#1b6e3c", "#1f4e9e", "#7a5200"];

/// A server's name, and its copies at so many seconds after the last packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub name: String,
    pub points: Vec<(u64, usize)>,
}

impl Line {
    /// Of traffic only, at the moments that have a time.
    pub fn new(name: &str, moments: &[Moment]) -> Self {
        let traffic = |moment: &Moment| {
            Kind::ALL.into_iter().filter(|kind| !kind.is_membership()).map(|kind| moment.copies.of_kind(kind)).sum()
        };
        let timed = moments.iter().filter(|moment| !matches!(moment.demand, Demand::Baseline | Demand::Control));
        let points = timed.filter_map(|moment| Some((moment.seconds?, traffic(moment)))).collect();
        Self { name: name.into(), points }
    }
}

/// The vertical axis is logarithmic, with 0 on its foot.
pub fn draw(lines: &[Line]) -> String {
    let all = || lines.iter().flat_map(|line| line.points.iter());
    let longest = all().map(|(seconds, _)| *seconds).max().unwrap_or(1).max(1);
    let most = all().map(|(_, copies)| *copies).max().unwrap_or(1).max(1);
    let decades = (1..).find(|decades| 10_usize.pow(*decades) >= most).unwrap_or(1);
    let x = |seconds: u64| FRAME[0] + (FRAME[2] - FRAME[0]) * seconds as f64 / longest as f64;
    let top = f64::from(decades) + 1.0;
    let y = |copies: usize| {
        let up = if copies == 0 { 0.0 } else { (copies as f64).log10() + 1.0 };
        FRAME[3] - (FRAME[3] - FRAME[1]) * up / top
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{}\" y=\"24\" \
         font-size=\"16\">Copies of users' traffic in the server's memory</text>\n",
        FRAME[0]
    );
    let values = std::iter::once(0).chain((0..=decades).map(|power| 10_usize.pow(power)));
    for value in values {
        let _ = writeln!(
            svg,
            "<line x1=\"{}\" y1=\"{y:.1}\" x2=\"{}\" y2=\"{y:.1}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" \
             text-anchor=\"end\">{value}</text>",
            FRAME[0],
            FRAME[2],
            FRAME[0] - 8.0,
            y(value) + 4.0,
            y = y(value)
        );
    }
    for seconds in (0..=longest).step_by(60) {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{seconds} s</text>",
            x(seconds),
            FRAME[3] + 20.0
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">seconds after the users' last packet</text>",
        (FRAME[0] + FRAME[2]) / 2.0,
        FRAME[3] + 42.0
    );
    for (number, (line, colour)) in lines.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let points: Vec<String> = line.points.iter().map(|(s, c)| format!("{:.1},{:.1}", x(*s), y(*c))).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\"/>",
            points.join(" ")
        );
        for (seconds, copies) in &line.points {
            let (x, y) = (x(*seconds), y(*copies));
            // Two lines may have nearly the same value; below the foot are the seconds
            let beside = if number % 2 == 1 && *copies > 0 { 19.0 } else { -9.0 };
            let _ = writeln!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"/><text x=\"{x:.1}\" y=\"{:.1}\" \
                 text-anchor=\"middle\" fill=\"{colour}\">{copies}</text>",
                y + beside
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"{colour}\">{}</text>",
            FRAME[2],
            FRAME[1] + 16.0 + 16.0 * number as f64,
            escape(&line.name)
        );
    }
    svg + "</svg>\n"
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_drawn() {
        let line = |name: &str, points: &[(u64, usize)]| Line { name: name.into(), points: points.to_vec() };
        let svg =
            draw(&[line("plain & simple", &[(0, 150), (300, 90)]), line("ours", &[(0, 120), (240, 0), (300, 0)])]);
        assert_eq!((svg.matches("<circle").count(), svg.matches("<polyline").count()), (5, 2));
        assert!(svg.contains("plain &amp; simple") && svg.contains(">1000<") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("cy=\"300.0\""), "0 lies on the foot");
    }

    #[test]
    fn nothing_to_draw() {
        assert!(draw(&[]).starts_with("<svg"));
    }
}
