//! What a seed decides. Each question has a text, so that a fault that is taken away changes no other answer.

/// A number that follows from a seed and a question.
pub(crate) fn number(seed: u64, question: &str) -> u64 {
    let folded = question.bytes().fold(0xcbf2_9ce4_8422_2325 ^ mixed(seed), |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mixed(folded)
}

/// A number from `least` to `most`, both included.
pub(crate) fn within(seed: u64, question: &str, least: u64, most: u64) -> u64 {
    least + number(seed, question) % (most - least + 1)
}

/// Whether something with this share of all cases is the case.
pub(crate) fn happens(seed: u64, question: &str, percent: u64) -> bool {
    number(seed, question) % 100 < percent
}

/// One of several.
pub(crate) fn one<'c, T>(seed: u64, question: &str, choices: &'c [T]) -> &'c T {
    let length = u64::try_from(choices.len()).expect("few choices");
    let index = usize::try_from(number(seed, question) % length).expect("few choices");
    &choices[index]
}

/// The finalizer of `SplitMix64`.
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
