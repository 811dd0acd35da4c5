//! The text of a message: whose it is, which one of his, and when it was said, at places that are found without reading
//! the rest.
//!
//! `~` and then, in hexadecimal, two digits of the sender, eight of the number and twelve of the microseconds since the
//! clients began; dots up to 64 bytes. Nothing of it is escaped in JSON.

/// Bytes of a text.
pub const LENGTH: usize = 64;
/// What a text begins with, and nothing else that a chatroom says holds.
pub const MARK: u8 = b'~';
/// Most senders.
pub const MOST_SENDERS: usize = 256;

const SENDER: usize = 2;
const NUMBER: usize = 8;
const MOMENT: usize = 12;
/// Bytes that carry something.
const USED: usize = 1 + SENDER + NUMBER + MOMENT;

/// What a text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Who said it.
    pub sender: u8,
    /// Which one of his; the first is number one.
    pub number: u32,
    /// When, in microseconds since the clients began.
    pub moment: u64,
}

impl Stamp {
    /// The text.
    pub fn write(self) -> [u8; LENGTH] {
        let mut text = [b'.'; LENGTH];
        text[0] = MARK;
        digits(&mut text[1..], SENDER, u64::from(self.sender));
        digits(&mut text[1 + SENDER..], NUMBER, u64::from(self.number));
        digits(&mut text[1 + SENDER + NUMBER..], MOMENT, self.moment);
        text
    }

    /// Reads a text from its mark on. `None` when it is none.
    pub fn read(text: &[u8]) -> Option<Self> {
        let text = text.get(..LENGTH)?;
        if text[0] != MARK || text[USED] != b'.' {
            return None;
        }
        let sender = number(&text[1..=SENDER])?;
        let count = number(&text[1 + SENDER..=SENDER + NUMBER])?;
        let moment = number(&text[1 + SENDER + NUMBER..USED])?;
        Some(Self { sender: u8::try_from(sender).ok()?, number: u32::try_from(count).ok()?, moment })
    }
}

fn digits(to: &mut [u8], count: usize, value: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (place, byte) in to[..count].iter_mut().rev().enumerate() {
        *byte = DIGITS[usize::try_from((value >> (4 * place)) & 15).unwrap_or_default()];
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some((value << 4) | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for stamp in [
            Stamp { sender: 0, number: 1, moment: 0 },
            Stamp { sender: 255, number: u32::MAX, moment: (1 << 48) - 1 },
            Stamp { sender: 19, number: 4711, moment: 1_234_567 },
        ] {
            assert_eq!(Stamp::read(&stamp.write()), Some(stamp));
        }
    }

    #[test]
    fn nothing_else_is_taken_for_one() {
        let text = Stamp { sender: 1, number: 2, moment: 3 }.write();
        assert_eq!(Stamp::read(&text[1..]), None);
        assert_eq!(Stamp::read(&text[..LENGTH - 1]), None);
        let mut spoilt = text;
        spoilt[5] = b'g';
        assert_eq!(Stamp::read(&spoilt), None);
    }
}
