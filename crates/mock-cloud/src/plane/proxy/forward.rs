//! One request through a load balancer: its rule, its server, the limits of time, and the way of the answer back.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use tokio::time::Instant;

use crate::plane::proxy::action::{self, Chosen, Step};
use crate::plane::proxy::backend::Era;
use crate::plane::proxy::body::{Body, Sent, Served};
use crate::plane::proxy::front::Client;
use crate::plane::proxy::headers::{self, host, without_port};
use crate::plane::proxy::rules::{Rule, change_answer};
use crate::plane::proxy::setting::{Setting, current};
use crate::plane::proxy::sticky::{self, Seen};
use crate::plane::proxy::tunnel::{self, Ends};
use crate::plane::proxy::upstream::{self, Lease};
use crate::plane::proxy::{gzip, page};
use crate::plane::spec::Sticky;
use crate::plane::stream::Activity;

/// Carries one request to a server and its answer back.
pub(super) async fn forward(client: Arc<Client>, mut request: Request<Incoming>) -> Response<Body> {
    let setting = current(&client.live);
    let wants_upgrade = headers::is_upgrade(request.headers());
    let client_side = wants_upgrade.then(|| hyper::upgrade::on(&mut request));
    let (mut head, body) = request.into_parts();
    let answer_rules = setting.rules.of_answer(&head, client.peer.ip());
    let reads_gzip = setting.listener.gzip && gzip::is_read_by(&head.headers);
    let chosen = match route(&mut head, &client, &setting) {
        Ok(chosen) => chosen,
        Err(answer) => return *answer,
    };
    let group = chosen.as_ref().map_or(&setting.group, |chosen| &chosen.group);
    let settings = group.settings();
    let seen = settings.sticky.as_ref().and_then(|sticky| sticky::server(&head.headers, sticky));
    let Some(load) = group.pick(seen.as_ref().map(|seen| seen.name.as_str()), client.peer.ip()) else {
        return page::status(StatusCode::SERVICE_UNAVAILABLE);
    };
    headers::prepare(&mut head, &client, &setting, wants_upgrade);
    if !settings.keep_alive && !wants_upgrade {
        headers::close_after(&mut head.headers);
    }
    let era = load.era();
    let body = Sent::new(body);
    let late = overdue(body.progress(), setting.listener.request_timeout);
    let answer = upstream::send(load, &era, &settings, Request::from_parts(head, body));
    let (answer, lease) = match in_time(&client, late, answer).await {
        Ok(answered) => answered,
        Err(status) => return page::status(status),
    };
    let memory = Memory { sticky: settings.sticky.as_ref(), seen, chosen };
    let back = Back { client, setting: &setting, rules: &answer_rules, memory, reads_gzip };
    back.answer(answer, lease, era, client_side)
}

/// Does what the rule of a request says: the group it chose, or the answer that is given at once.
fn route(
    head: &mut Parts,
    client: &Client,
    setting: &Setting,
) -> Result<Option<Chosen>, Box<Response<Body>>> {
    let answer = |status| Err(Box::new(page::status(status)));
    // Whoever asks for the load balancer by its own name is refused: domains lead to it.
    if without_port(host(head)).trim_end_matches('.').eq_ignore_ascii_case(&setting.dns_name) {
        return answer(StatusCode::FORBIDDEN);
    }
    let Some(rule) = setting.rules.of_request(head, client.peer.ip()) else { return Ok(None) };
    for step in &rule.steps {
        match step {
            Step::Forward(forward) => {
                let Some(chosen) = forward.choose(&head.headers) else {
                    return answer(StatusCode::SERVICE_UNAVAILABLE);
                };
                return Ok(Some(chosen));
            }
            Step::Redirect(status, redirect) => {
                return Err(Box::new(action::redirect(*status, redirect, head, setting)));
            }
            Step::Answer { status, kind, content } => {
                return Err(Box::new(page::content(*status, kind, content.clone())));
            }
            Step::Rewrite { host, path, query } => action::rewrite(head, setting, (host, path, query)),
            Step::Insert { name, value, replaces } => {
                action::insert(&mut head.headers, (name, value, *replaces), (client, setting));
            }
            Step::Remove(name) => drop(head.headers.remove(name)),
            Step::Limit(limit) if limit.admits(client.peer.ip()) => {}
            Step::Limit(_) => return answer(StatusCode::SERVICE_UNAVAILABLE),
        }
    }
    Ok(None)
}

/// Waits for the head of an answer until it is late; so long, silence of the client is not idleness.
async fn in_time(
    client: &Client,
    late: impl Future<Output = ()>,
    answer: impl Future<Output = Result<(Response<Incoming>, Lease), StatusCode>>,
) -> Result<(Response<Incoming>, Lease), StatusCode> {
    let _waiting = client.activity.wait();
    tokio::select! {
        answer = answer => answer,
        () = late => Err(StatusCode::GATEWAY_TIMEOUT),
    }
}

/// Resolves when the server is late, counted from the last byte of the request.
async fn overdue(progress: Arc<Activity>, limit: Duration) {
    loop {
        let deadline = progress.last() + limit;
        if Instant::now() >= deadline {
            return;
        }
        tokio::time::sleep_until(deadline).await;
    }
}

/// What a client is to remember.
struct Memory<'a> {
    sticky: Option<&'a Sticky>,
    seen: Option<Seen>,
    chosen: Option<Chosen>,
}

/// What the way back needs to know.
struct Back<'a> {
    client: Arc<Client>,
    setting: &'a Setting,
    rules: &'a [&'a Rule],
    memory: Memory<'a>,
    reads_gzip: bool,
}

impl Back<'_> {
    fn answer(
        self,
        mut answer: Response<Incoming>,
        lease: Lease,
        era: Era,
        client_side: Option<hyper::upgrade::OnUpgrade>,
    ) -> Response<Body> {
        let is_upgraded = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
        if is_upgraded && client_side.is_none() {
            tracing::info!("a server upgraded a request that did not ask for it");
            return page::status(StatusCode::BAD_GATEWAY);
        }
        let server_side = is_upgraded.then(|| hyper::upgrade::on(&mut answer));
        let (mut head, incoming) = answer.into_parts();
        headers::clean(&mut head.headers, server_side.is_some());
        self.memory.write(&mut head.headers, lease.backend().cookie());
        change_answer(self.rules, &mut head, &self.client, self.setting);
        if let (Some(client), Some(server)) = (client_side, server_side) {
            tokio::spawn(tunnel::carry(Ends { client, server }, self.client, lease, era));
            return Response::from_parts(head, Body::Empty);
        }
        let response = Response::from_parts(head, Body::Served(Served::new(incoming, lease)));
        if self.reads_gzip { gzip::compress(response) } else { response }
    }
}

impl Memory<'_> {
    fn write(&self, headers: &mut hyper::HeaderMap, server: &str) {
        if let Some(sticky) = self.sticky {
            sticky::stay_with_server(headers, sticky, server, self.seen.as_ref());
        }
        if let Some((group, seen)) = self.chosen.as_ref().and_then(|chosen| chosen.stay.as_ref()) {
            sticky::stay_with_group(headers, group, seen.as_ref());
        }
    }
}
