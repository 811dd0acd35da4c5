//! Whether the system lets this process open as many files as its limits may need, since each connection is one.

use std::fs;

use chat_node::Limits;

/// What is open beside clients: the listener, Redis, probes, those that are turned away.
const OTHERS: usize = 512;

/// Says in the log when connections may be refused before the limit on them is reached.
pub(crate) fn warn_when_short(limits: &Limits) {
    let needed = needed(limits);
    let allowed = fs::read_to_string("/proc/self/limits").ok().and_then(|text| allowed(&text));
    if let Some(allowed) = allowed.filter(|allowed| *allowed < needed) {
        tracing::warn!(
            allowed,
            needed,
            connections = limits.connections,
            "this process may open too few files for its connections: raise LimitNOFILE, or lower --connections"
        );
    }
}

/// Each client has one connection, or two while it polls, and a WebSocket that it tries.
fn needed(limits: &Limits) -> usize {
    3 * limits.connections + OTHERS
}

/// The soft limit in the text of `/proc/self/limits`; `None` when there is none.
fn allowed(text: &str) -> Option<usize> {
    text.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_read() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max processes             95784                95784                processes \n\
                    Max open files            1024                 1048576              files     \n";
        assert_eq!(allowed(text), Some(1024));
        assert_eq!(
            allowed("Max open files            unlimited            unlimited            files"),
            None
        );
        assert_eq!(allowed(""), None);
    }
}
