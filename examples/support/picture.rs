//! Curves as SVG, readable on light and on dark pages.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 96.0;
const TOP: f64 = 62.0;
const BOTTOM: f64 = 48.0;
/// Least distance of two names.
const LINE: f64 = 15.0;

const STYLE: &str = "\
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; }
.whole { font-size: 14px; font-weight: 600; }
.axis { stroke: #57606a; fill: none; }
.grid { stroke: #d0d7de; }
.line { fill: none; stroke-width: 2; }
.own.line, .own.dot { stroke: #0969da; } .own.dot, .own.name { fill: #0969da; }
.limit.line, .limit.dot { stroke: #6e7781; stroke-dasharray: 5 3; } .limit.dot, .limit.name { fill: #6e7781; }
.peer.line, .peer.dot { stroke: #bc4c00; } .peer.dot, .peer.name { fill: #bc4c00; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .axis { stroke: #8d96a0; }
  .grid { stroke: #30363d; }
  .own.line, .own.dot { stroke: #58a6ff; } .own.dot, .own.name { fill: #58a6ff; }
  .limit.line, .limit.dot { stroke: #8d96a0; } .limit.dot, .limit.name { fill: #8d96a0; }
  .peer.line, .peer.dot { stroke: #f0883e; } .peer.dot, .peer.name { fill: #f0883e; }
}
";

/// One curve. A value that is not there is a gap.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) class: &'static str,
    pub(crate) values: Vec<Option<f64>>,
}

/// Curves over the same ticks, which are equally far apart.
pub(crate) struct Chart {
    pub(crate) title: String,
    /// What the ticks count.
    pub(crate) x: &'static str,
    pub(crate) ticks: Vec<String>,
    pub(crate) series: Vec<Series>,
}

/// Writes charts side by side into a file.
pub(crate) fn write(path: &Path, title: &str, charts: &[Chart]) -> Result<()> {
    let width = WIDTH * f64::from(u32::try_from(charts.len())?);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {HEIGHT}\" width=\"{width}\" \
         height=\"{HEIGHT}\" role=\"img\" aria-label=\"{title}\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n\
         <text class=\"whole\" x=\"{LEFT}\" y=\"20\">{title}</text>\n"
    );
    for (place, chart) in (0_u32..).zip(charts) {
        writeln!(text, "<g transform=\"translate({} 0)\">", WIDTH * f64::from(place))?;
        chart.draw(&mut text)?;
        text.push_str("</g>\n");
    }
    text.push_str("</svg>\n");
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    store(path, &text)
}

#[expect(clippy::disallowed_methods, reason = "a picture that is interrupted is drawn again")]
fn store(path: &Path, text: &str) -> Result<()> {
    Ok(std::fs::write(path, text)?)
}

impl Chart {
    fn draw(&self, text: &mut String) -> Result<()> {
        let values = self.series.iter().flat_map(|series| series.values.iter().flatten());
        let (step, top) = scale(values.copied().fold(0.0, f64::max));
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let y = |value: f64| bottom - value / top * (bottom - TOP);
        let count = f64::from(u32::try_from(self.ticks.len().max(2) - 1)?);
        let x = |place: usize| {
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            LEFT + 18.0 + f64::from(place) / count * (right - LEFT - 36.0)
        };
        writeln!(text, "<text class=\"title\" x=\"{LEFT}\" y=\"44\">{}</text>", self.title)?;
        let mut value = 0.0;
        while value <= top + step / 2.0 {
            let at = y(value);
            writeln!(text, "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/>")?;
            let label = tick(value, step);
            writeln!(
                text,
                "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                LEFT - 6.0,
                at + 4.0
            )?;
            value += step;
        }
        writeln!(text, "<path class=\"axis\" d=\"M{LEFT} {TOP}V{bottom}H{right}\"/>")?;
        for (place, tick) in self.ticks.iter().enumerate() {
            let at = x(place);
            writeln!(
                text,
                "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{tick}</text>",
                bottom + 17.0
            )?;
        }
        let middle = f64::midpoint(LEFT, right);
        writeln!(
            text,
            "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            bottom + 36.0,
            self.x
        )?;
        self.draw_series(text, right, &x, &y)
    }

    fn draw_series(
        &self,
        text: &mut String,
        right: f64,
        x: &impl Fn(usize) -> f64,
        y: &impl Fn(f64) -> f64,
    ) -> Result<()> {
        let mut names: Vec<(f64, &Series)> = Vec::new();
        for series in &self.series {
            let mut path = String::new();
            let mut follows = false;
            for (place, value) in series.values.iter().enumerate() {
                if let Some(value) = value {
                    let (at, height) = (x(place), y(*value));
                    write!(path, "{}{at:.1} {height:.1}", if follows { "L" } else { "M" })?;
                    writeln!(
                        text,
                        "<circle class=\"{} dot\" cx=\"{at:.1}\" cy=\"{height:.1}\" r=\"3\"/>",
                        series.class
                    )?;
                }
                follows = value.is_some();
            }
            writeln!(text, "<path class=\"{} line\" d=\"{path}\"/>", series.class)?;
            if let Some(last) = series.values.iter().rev().flatten().next() {
                names.push((y(*last), series));
            }
        }
        names.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut free = TOP;
        for (height, series) in names {
            let at = height.max(free);
            free = at + LINE;
            writeln!(
                text,
                "<text class=\"{} name\" x=\"{}\" y=\"{:.1}\">{}</text>",
                series.class,
                right + 4.0,
                at + 4.0,
                series.name
            )?;
        }
        Ok(())
    }
}

/// The distance of the lines, and the end of the axis: four to eight lines at 1, 2 or 5 of a power of ten.
fn scale(largest: f64) -> (f64, f64) {
    let largest = if largest > 0.0 { largest } else { 1.0 };
    let power = 10_f64.powf((largest / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|part| part * power).into_iter().find(|step| step * 6.0 >= largest);
    let step = step.unwrap_or(10.0 * power);
    (step, (largest / step).ceil() * step)
}

fn tick(value: f64, step: f64) -> String {
    if step >= 1.0 {
        format!("{value:.0}")
    } else if step >= 0.1 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}
