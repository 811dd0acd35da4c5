//! The picture of a chatroom in the page: how its parts are, by the checks, and the same in words.

use super::super::check::CheckId;
use super::super::picture::{Picture, Standing, Standings};
use super::super::report::Report;
use super::{escape, section};

const CLIENTS: [CheckId; 2] = [CheckId::WebsocketUpgrade, CheckId::Welcome];
const NAME: [CheckId; 1] = [CheckId::DnsCname];
const FRONT: [CheckId; 4] =
    [CheckId::TlsValid, CheckId::HttpRedirects, CheckId::PageLoads, CheckId::WebsocketUpgrade];
const REDIS: [CheckId; 3] = [CheckId::MessageAToB, CheckId::MessageBToA, CheckId::RedisPath];

/// The section with the picture, and the same in words for who does not see it.
pub(super) fn section_of(picture: &Picture, report: &Report) -> String {
    let by = |ids| Standing::by(report, ids);
    let standings =
        Standings { clients: by(&CLIENTS), name: by(&NAME), balancer: by(&FRONT), redis: by(&REDIS) };
    let (svg, view) = picture.in_box(standings);
    let words = words(picture, standings);
    section(
        "picture",
        "Picture",
        &format!(
            "<figure>\n<svg role=\"img\" aria-labelledby=\"picture-words\" viewBox=\"{view}\">\n<desc \
             id=\"picture-words\">{}</desc>\n{svg}</svg>\n</figure>\n",
            escape(&words)
        ),
    )
}

fn words(picture: &Picture, standings: Standings) -> String {
    let nodes: Vec<String> = picture
        .nodes
        .iter()
        .map(|node| match &node.standing {
            Ok(()) => format!("{} is well", node.part.name),
            Err(why) => format!("{} is ill ({why})", node.part.name),
        })
        .collect();
    let redis = if picture.redis.is_some() { standings.redis.word() } else { "not used" };
    format!(
        "Clients open {}. The name {} is {}, the load balancer is {}, of the nodes {}, and Redis is {redis}.",
        picture.url,
        picture.name.name,
        standings.name.word(),
        standings.balancer.word(),
        nodes.join(", "),
    )
}
