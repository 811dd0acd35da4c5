//! Bounded waiting: for what a plane reports, and for what nothing announces.

use std::time::Duration;

use mock_cloud::plane::Plane;
use mock_cloud::plane::spec::{Desired, HostState, Status};

/// Waits until the status is as described, woken by the plane itself.
pub(crate) async fn until(
    plane: &Plane,
    patience: Duration,
    what: &str,
    holds: impl Fn(&Status) -> bool,
) -> Status {
    let wait = async {
        loop {
            let status = plane.status();
            if holds(&status) {
                return status;
            }
            plane.changed().await;
        }
    };
    let result = tokio::time::timeout(patience, wait).await;
    result.unwrap_or_else(|_| panic!("never: {what}; the status is {:#?}", plane.status()))
}

/// Waits until one can log in to every instance.
pub(crate) async fn all_ready(plane: &Plane, patience: Duration, desired: &Desired) {
    until(plane, patience, "all hosts are ready", |status| {
        let mut ids = desired.instances.keys();
        ids.all(|id| status.hosts.get(id).is_some_and(|host| host.state == HostState::Ready))
    })
    .await;
}

/// Asks again until it holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(
    patience: Duration,
    what: &str,
    holds: impl Fn() -> F,
) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(patience, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}
