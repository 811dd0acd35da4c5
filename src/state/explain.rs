//! What is said about what can go wrong with a shared state, for `albatross explain`.
//!
//! An error shows what to do next; this is the longer word on it. Each of them names its code.

/// What is said about an error.
#[derive(Debug)]
pub struct StateExplanation {
    /// Its code, as an error names it.
    pub code: &'static str,
    /// One sentence: lower case, no full stop.
    pub means: &'static str,
    /// How one comes to meet it.
    pub why: &'static str,
    /// What to type or click next.
    pub next: &'static str,
}

const fn error(
    code: &'static str,
    means: &'static str,
    why: &'static str,
    next: &'static str,
) -> StateExplanation {
    StateExplanation { code, means, why, next }
}

/// Code of a bucket that is not there.
pub const NO_BUCKET: &str = "state-no-bucket";
/// Code of a bucket in another region.
pub const ELSEWHERE: &str = "state-other-region";
/// Code of a bucket that may not be used.
pub const DENIED: &str = "state-denied";

/// Every error, by code.
pub const ERRORS: [StateExplanation; 9] = [
    error(
        "state-bucket-versioned",
        "the bucket of the shared state keeps versions",
        "Two commands are kept apart by objects that are made only where there is none. In a bucket that keeps versions, or \
         kept them once, OSS does not look whether there is one: the second would write over the first.",
        "use a bucket that never kept versions; to suspend versioning is not enough",
    ),
    error(
        DENIED,
        "this key may not use the bucket of the shared state",
        "A RAM user may do only what a policy allows, and the policies of a bucket may deny more.",
        "attach what `albatross policy FILE` prints to the user; its last statements are about the bucket",
    ),
    error(
        "state-lock-lost",
        "another command has gone on with the shared state",
        "This one was stopped for longer than its lease, was cut off from the bucket, or was forced out with `albatross \
         unlock --force`. It has begun nothing since: what it is about to do it writes to the bucket first, and there its \
         place was taken.",
        "run the same command again when the other one has ended; `albatross state push FILE` alone puts into the bucket \
         what this one has done",
    ),
    error(
        NO_BUCKET,
        "there is no bucket of this name",
        "Albatross makes no buckets in a real account: their names are shared by all accounts, and what is in them outlives \
         a stack.",
        "make a private bucket without versioning in the OSS console, or mend `state` in the topology",
    ),
    error(
        "state-other-history",
        "the journal of this machine and that of the bucket are of two states",
        "The stack was begun on this machine before it was shared, and somebody else has shared one under the same name \
         meanwhile.",
        "move the journal of this machine away: what there is is found by its tags, and the bucket's journal goes on",
    ),
    error(
        ELSEWHERE,
        "the bucket of the shared state is in another region",
        "A bucket answers in its own region only. Unless told, it is looked for in the region of the stack.",
        "write its region behind the place: `state: oss://my-team/albatross?region=cn-shanghai`",
    ),
    error(
        "state-secret-elsewhere",
        "a call is under way whose secret is on another machine",
        "The journal that is shared has no secrets: a password or key that a call carries stays on the machine that sends \
         it, until it is known how the call ended. Only there can it be sent again.",
        "run the same command on that machine; half an hour after the call any machine goes on without it",
    ),
    error(
        "state-segment-damaged",
        "an object of the shared state is not what was written there",
        "Each segment has a checksum and names the one before it by its digest. Somebody has changed, removed or added an \
         object by other means.",
        "put the object back as it was; or begin anew under another prefix, with the journals of all machines moved away",
    ),
    error(
        "state-unshared",
        "what was to be done could not be made known to others",
        "The bucket did not answer, or said no. Whoever took over would not know of a call that is sent now, so none is.",
        "follow the line that begins with `help:`; then the same command goes on, and puts what is here into the bucket \
         first",
    ),
];

/// What is said about the error with this code.
pub fn find(code: &str) -> Option<&'static StateExplanation> {
    ERRORS.iter().find(|error| error.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_keep_to_their_form_and_codes_to_their_order() {
        for StateExplanation { code, means, why, next } in &ERRORS {
            assert!(
                means.starts_with(|letter: char| letter.is_lowercase()) && !means.ends_with('.'),
                "{code}"
            );
            assert!(why.ends_with('.') && !next.ends_with('.'), "{code}");
        }
        assert!(ERRORS.is_sorted_by_key(|error| error.code));
    }
}
