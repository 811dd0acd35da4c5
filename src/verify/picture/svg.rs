//! A picture drawn in SVG: from the clients through name, load balancer and nodes to Redis.
//!
//! It is narrow and high, so that its words can be read on a phone without being moved. What colours say words say too.

use std::fmt::Write as _;

use super::super::html::escape;
use super::{NodePart, Part, Picture, Standing, Standings};

/// The style of a picture that stands by itself; a page has its own.
const STYLE: &str = include_str!("../../../templates/picture.css");

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

/// One box.
struct Shape<'a> {
    title: &'a str,
    lines: Vec<String>,
    /// None where nothing is said of it.
    standing: Option<Standing>,
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
            class(*standing),
            self.height(),
            x + 12,
            y + TITLE,
            escape(&short(title, letters.saturating_sub(12))),
        );
        if let Some(standing) = standing {
            let _ = write!(
                text,
                "<text class=\"state\" text-anchor=\"end\" x=\"{}\" y=\"{}\">{}</text>",
                x + width - 12,
                y + TITLE,
                standing.word()
            );
        }
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

impl Picture {
    /// As a file of its own, which says nothing of how the parts are.
    pub fn to_svg(&self) -> String {
        let (shapes, height) = self.draw(None);
        let words = escape(&self.url);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-labelledby=\"picture-words\" viewBox=\"0 0 {WIDTH} \
             {height}\" width=\"{WIDTH}\" height=\"{height}\">\n<title id=\"picture-words\">{words}</title>\n<style>\n\
             {STYLE}</style>\n{shapes}</svg>\n"
        )
    }

    /// What stands inside of an `svg` element with this box, and the box.
    pub(in super::super) fn in_box(&self, standings: Standings) -> (String, String) {
        let (shapes, height) = self.draw(Some(standings));
        (shapes, format!("0 0 {WIDTH} {height}"))
    }

    /// What stands inside of the `svg` element, and how high it is.
    fn draw(&self, standings: Option<Standings>) -> (String, u32) {
        let clients = self.clients();
        let mut shapes = Vec::new();
        let mut y = EDGE;
        for (part, standing) in [
            (&clients, standings.map(|all| all.clients)),
            (&self.name, standings.map(|all| all.name)),
            (&self.balancer, standings.map(|all| all.balancer)),
        ] {
            let shape = row(part, standing, y);
            y += shape.height() + ROAD;
            shapes.push(shape);
        }
        let mut lines: String = shapes.windows(2).map(|pair| line(&pair[0], &pair[1])).collect();
        let nodes = side_by_side(self.nodes.iter().map(|node| node_shape(node, standings)), y);
        y = below(&nodes, y) + ROAD;
        let redis = self.redis.as_ref().map(|part| row(part, standings.map(|all| all.redis), y));
        y = redis.as_ref().map_or(y, |redis| redis.bottom().1 + ROAD);
        for node in &nodes {
            lines.push_str(&shapes.last().map(|balancer| line(balancer, node)).unwrap_or_default());
            lines.push_str(&redis.as_ref().map(|redis| line(node, redis)).unwrap_or_default());
        }
        let others = side_by_side(self.others.iter().map(|part| row(part, None, 0)), y);
        shapes.extend(nodes.into_iter().chain(redis).chain(others));
        let boxes: String = shapes.iter().map(Shape::draw).collect();
        (format!("{lines}{boxes}"), below(&shapes, EDGE) + EDGE)
    }
}

fn row(part: &Part, standing: Option<Standing>, y: u32) -> Shape<'_> {
    let lines = part.addresses.clone();
    Shape { title: &part.name, lines, standing, x: EDGE, y, width: WIDTH - 2 * EDGE }
}

fn node_shape(node: &NodePart, standings: Option<Standings>) -> Shape<'_> {
    let mut shape = row(&node.part, standings.map(|_| Standing::of_node(node)), 0);
    shape.lines.extend(node.standing.as_ref().err().cloned());
    shape
}

/// Where the lowest of some shapes ends; `least` without any.
fn below(shapes: &[Shape<'_>], least: u32) -> u32 {
    shapes.iter().map(|shape| shape.bottom().1).max().unwrap_or(least)
}

/// Shapes beside each other, in as many rows as it takes.
fn side_by_side<'p>(all: impl Iterator<Item = Shape<'p>>, top: u32) -> Vec<Shape<'p>> {
    let width = (WIDTH - 2 * EDGE - GAP) / COLUMNS;
    let mut shapes: Vec<Shape<'_>> = Vec::new();
    let mut y = top;
    for (place, shape) in (0..).zip(all) {
        if place > 0 && place % COLUMNS == 0 {
            y = below(&shapes, y) + GAP;
        }
        shapes.push(Shape { x: EDGE + (place % COLUMNS) * (width + GAP), y, width, ..shape });
    }
    shapes
}

/// A line from one box down to another; broken where the lower one is ill.
fn line(from: &Shape<'_>, to: &Shape<'_>) -> String {
    let ((x1, y1), (x2, y2)) = (from.bottom(), to.top());
    let standing = if from.standing == Some(Standing::Bad) { from.standing } else { to.standing };
    format!("<path class=\"way {}\" d=\"M{x1} {y1} L{x2} {y2}\"/>\n", class(standing))
}

fn class(standing: Option<Standing>) -> &'static str {
    standing.map_or("plain", Standing::class)
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
        let shapes = side_by_side(nodes.iter().map(|node| node_shape(node, None)), 100);
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
