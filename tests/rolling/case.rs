//! What happens under the clients.

use std::time::Duration;

use tokio::time::sleep;

use crate::stack::Stack;

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    /// Both nodes get another release, one after the other.
    Release,
    /// Redis is restarted.
    Redis,
    /// A node is killed, and started again by its unit.
    Kill,
    /// The power of a node's machine is off for a moment.
    Reboot,
}

impl Case {
    pub(crate) const ALL: [Self; 4] = [Self::Release, Self::Redis, Self::Kill, Self::Reboot];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Redis => "redis",
            Self::Kill => "kill",
            Self::Reboot => "reboot",
        }
    }

    /// How long anybody may hear nothing.
    pub(crate) fn bound(self) -> Duration {
        match self {
            Self::Release => Duration::from_secs(1),
            Self::Redis | Self::Kill | Self::Reboot => Duration::from_secs(5),
        }
    }

    /// Lets it happen; returns when it is over.
    pub(crate) async fn disturb(self, stack: &Stack) {
        match self {
            Self::Release => {
                stack.change_a_setting();
                stack.albatross(&["--local", "deploy", "--yes", "chatroom.yaml"]).await;
            }
            Self::Redis => {
                let unit = "albatross-redis.service";
                let command =
                    ["--local", "ssh", "chatroom.yaml", "ecs03", "--", "systemctl", "restart", unit];
                stack.albatross(&command).await;
            }
            Self::Kill => {
                stack.albatross(&["cloud", "fault", "node-kill", "ecs01", "--for", "100ms"]).await;
                sleep(Duration::from_secs(3)).await;
            }
            Self::Reboot => {
                stack.albatross(&["cloud", "fault", "reboot", "ecs02", "--for", "2s"]).await;
                sleep(Duration::from_secs(6)).await;
            }
        }
    }
}
