//! The picture of a chatroom: from the clients through name, load balancer and nodes to Redis, drawn in SVG.
//!
//! It is narrow and high, so that its words can be read on a phone without being moved. What colours say words say too.

use std::fmt::Write as _;

use super::super::check::CheckId;
use super::super::picture::{NodePart, Part, Picture, Standing};
use super::super::report::Report;
use super::{escape, section};

const WIDTH: u32 = 400;
const EDGE: u32 = 4;
const GAP: u32 = 16;
/// Between two rows, where the lines run.
const ROAD: u32 = 30;
/// Columns of nodes.
const COLUMNS: u32 = 2;
const TITLE: u32 = 22;
const LINE: u32 = 16;
/// Letters that fit in a box over the whole width, and in one of two.
const LETTERS: [usize; 2] = [57, 25];

const NAME: [CheckId; 1] = [CheckId::DnsCname];
const FRONT: [CheckId; 4] =
    [CheckId::TlsValid, CheckId::HttpRedirects, CheckId::PageLoads, CheckId::WebsocketUpgrade];
const REDIS: [CheckId; 3] = [CheckId::MessageAToB, CheckId::MessageBToA, CheckId::RedisPath];

/// One box.
struct Shape<'a> {
    title: &'a str,
    lines: Vec<String>,
    standing: Standing,
    x: u32,
    y: u32,
    width: u32,
}

impl Shape<'_> {
    fn height(&self) -> u32 {
        let lines = u32::try_from(self.lines.len()).unwrap_or(u32::MAX);
        TITLE + 12 + LINE * lines
    }

    fn bottom(&self) -> (u32, u32) {
        (self.x + self.width / 2, self.y + self.height())
    }

    fn top(&self) -> (u32, u32) {
        (self.x + self.width / 2, self.y)
    }

    fn draw(&self) -> String {
        let Self { title, lines, standing, x, y, width } = self;
        let letters = LETTERS[usize::from(*width < WIDTH / 2)];
        let mut text = format!(
            "<g class=\"{}\"><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{}\" rx=\"9\"/><text class=\"title\" \
             x=\"{}\" y=\"{}\">{}</text>",
            standing.class(),
            self.height(),
            x + 12,
            y + TITLE,
            escape(&short(title, letters.saturating_sub(12))),
        );
        let _ = write!(
            text,
            "<text class=\"state\" text-anchor=\"end\" x=\"{}\" y=\"{}\">{}</text>",
            x + width - 12,
            y + TITLE,
            standing.word()
        );
        for (number, line) in (1..).zip(lines) {
            let _ = write!(
                text,
                "<text class=\"line\" x=\"{}\" y=\"{}\">{}</text>",
                x + 12,
                y + TITLE + LINE * number,
                escape(&short(line, letters))
            );
        }
        text.push_str("</g>\n");
        text
    }
}

/// As much of a text as fits.
fn short(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    let kept: String = text.chars().take(letters.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// The section with the picture, and the same in words for who does not see it.
pub(super) fn section_of(picture: &Picture, report: &Report) -> String {
    let (svg, height) = draw(picture, report);
    let words = words(picture, report);
    section(
        "picture",
        "Picture",
        &format!(
            "<figure>\n<svg role=\"img\" aria-labelledby=\"picture-words\" viewBox=\"0 0 {WIDTH} {height}\">\n<desc \
             id=\"picture-words\">{}</desc>\n{svg}</svg>\n</figure>\n",
            escape(&words)
        ),
    )
}

fn draw(picture: &Picture, report: &Report) -> (String, u32) {
    let clients = Part {
        name: "clients".to_owned(),
        addresses: picture.clients.iter().map(|one| format!("from {one}")).collect(),
    };
    let mut shapes = Vec::new();
    let mut y = EDGE;
    for (part, standing) in [
        (&clients, Standing::by(report, &[CheckId::WebsocketUpgrade, CheckId::Welcome])),
        (&picture.name, Standing::by(report, &NAME)),
        (&picture.balancer, Standing::by(report, &FRONT)),
    ] {
        let shape = row(part, standing, y);
        y += shape.height() + ROAD;
        shapes.push(shape);
    }
    let mut lines: String = shapes.windows(2).map(|pair| line(&pair[0], &pair[1])).collect();
    let nodes = node_shapes(&picture.nodes, y);
    y = nodes.iter().map(|node| node.bottom().1).max().unwrap_or(y) + ROAD;
    let redis = row(&picture.redis, Standing::by(report, &REDIS), y);
    for node in &nodes {
        lines.push_str(&shapes.last().map(|balancer| line(balancer, node)).unwrap_or_default());
        lines.push_str(&line(node, &redis));
    }
    let height = redis.bottom().1 + EDGE;
    let boxes: String = shapes.iter().chain(&nodes).chain([&redis]).map(Shape::draw).collect();
    (format!("{lines}{boxes}"), height)
}

fn row(part: &Part, standing: Standing, y: u32) -> Shape<'_> {
    let lines = part.addresses.clone();
    Shape { title: &part.name, lines, standing, x: EDGE, y, width: WIDTH - 2 * EDGE }
}

/// Nodes side by side, in as many rows as it takes.
fn node_shapes(nodes: &[NodePart], top: u32) -> Vec<Shape<'_>> {
    let width = (WIDTH - 2 * EDGE - GAP) / COLUMNS;
    let mut shapes: Vec<Shape<'_>> = Vec::new();
    let (mut y, mut low) = (top, top);
    for (place, node) in (0..).zip(nodes) {
        if place > 0 && place % COLUMNS == 0 {
            y = low + GAP;
        }
        let reason = node.standing.as_ref().err().cloned();
        let shape = Shape {
            title: &node.part.name,
            lines: node.part.addresses.iter().cloned().chain(reason).collect(),
            standing: Standing::of_node(node),
            x: EDGE + (place % COLUMNS) * (width + GAP),
            y,
            width,
        };
        low = low.max(shape.bottom().1);
        shapes.push(shape);
    }
    shapes
}

/// A line from one box down to another; broken where the lower one is ill.
fn line(from: &Shape<'_>, to: &Shape<'_>) -> String {
    let ((x1, y1), (x2, y2)) = (from.bottom(), to.top());
    let standing = if from.standing == Standing::Bad { from.standing } else { to.standing };
    format!("<path class=\"way {}\" d=\"M{x1} {y1} L{x2} {y2}\"/>\n", standing.class())
}

fn words(picture: &Picture, report: &Report) -> String {
    let nodes: Vec<String> = picture
        .nodes
        .iter()
        .map(|node| match &node.standing {
            Ok(()) => format!("{} is well", node.part.name),
            Err(why) => format!("{} is ill ({why})", node.part.name),
        })
        .collect();
    format!(
        "Clients open {}. The name {} is {}, the load balancer is {}, of the nodes {}, and Redis is {}.",
        picture.url,
        picture.name.name,
        Standing::by(report, &NAME).word(),
        Standing::by(report, &FRONT).word(),
        nodes.join(", "),
        Standing::by(report, &REDIS).word(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str) -> NodePart {
        NodePart {
            part: Part { name: name.to_owned(), addresses: vec!["10.0.0.1".to_owned()] },
            standing: Ok(()),
        }
    }

    #[test]
    fn nodes_never_lie_upon_each_other() {
        let mut nodes: Vec<NodePart> = ["a", "b", "c", "d", "e"].map(node).to_vec();
        nodes[0].standing = Err("CONNECT_FAILED".to_owned());
        let shapes = node_shapes(&nodes, 100);
        for (place, one) in shapes.iter().enumerate() {
            assert!(one.x + one.width <= WIDTH, "{} is too far right", one.title);
            for other in &shapes[place + 1..] {
                let apart = one.x + one.width <= other.x
                    || other.x + other.width <= one.x
                    || one.y + one.height() <= other.y
                    || other.y + other.height() <= one.y;
                assert!(apart, "{} lies upon {}", one.title, other.title);
            }
        }
    }

    #[test]
    fn what_is_too_long_is_cut_between_letters() {
        assert_eq!(short("short", 5), "short");
        assert_eq!(short("ärger und mehr", 6), "ärger…");
    }
}
