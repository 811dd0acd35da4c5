//! Asks at the terminal for what a topology needs and nobody gave. What an answer makes of the topology is checked at
//! once, by the rules that every topology is held to.

use std::io::{self, BufRead, Write};

use clap::ValueEnum as _;

use super::template::{Answers, Template};
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::topology;

/// Asks whoever sits at the terminal.
///
/// # Errors
/// When nobody answers any more.
pub(super) fn ask(template: Option<Template>, given: &Answers) -> Result<(Template, Answers), Failure> {
    let mut conversation = Conversation { answers: io::stdin().lock(), questions: anstream::stderr() };
    conversation.hold(template, given).map_err(|_| {
        Failure::saying(
            ExitStatus::Failed,
            "nobody answered; nothing was written",
            "run it again, or give --template",
        )
    })
}

struct Conversation<R, W> {
    answers: R,
    questions: W,
}

impl<R: BufRead, W: Write> Conversation<R, W> {
    fn hold(&mut self, template: Option<Template>, given: &Answers) -> io::Result<(Template, Answers)> {
        let template = match template {
            Some(template) => template,
            None => self.template()?,
        };
        let mut answers = given.clone();
        if answers.stack.is_none() {
            self.until_good(
                template,
                &mut answers,
                ("Name of the stack", template.stack()),
                |answers, text| {
                    answers.stack = Some(text);
                    Ok(())
                },
            )?;
        }
        if answers.zones.is_empty() {
            self.place(template, &mut answers)?;
        }
        if answers.allow_from.is_none() {
            let question = "Addresses that you log in from, such as 198.51.100.7/32";
            self.until_good(template, &mut answers, (question, ""), |answers, text| {
                answers.allow_from = Some(text);
                Ok(())
            })?;
        }
        if answers.domain.is_none() {
            self.until_good(template, &mut answers, ("A domain of your account", ""), |answers, text| {
                answers.domain = Some(text);
                Ok(())
            })?;
        }
        if template == Template::OwnApp && answers.binary.is_none() {
            self.until_good(template, &mut answers, ("The program of your server", ""), |answers, text| {
                answers.binary = Some(text.into());
                Ok(())
            })?;
        }
        Ok((template, answers))
    }

    fn template(&mut self) -> io::Result<Template> {
        let all = Template::value_variants();
        writeln!(self.questions, "What shall it be?")?;
        for (number, one) in (1..).zip(all) {
            let value = one.to_possible_value();
            let help = value.as_ref().and_then(|value| value.get_help()).map(ToString::to_string);
            writeln!(self.questions, "  {number}  {}", help.unwrap_or_default())?;
        }
        loop {
            let text = self.line("A number", "1")?;
            let chosen = text.parse::<usize>().ok().and_then(|number| all.get(number.checked_sub(1)?));
            match chosen {
                Some(template) => return Ok(*template),
                None => writeln!(self.questions, "  `{text}` is none of 1 to {}", all.len())?,
            }
        }
    }

    /// Region and zones belong together: no topology with one of them alone is good.
    fn place(&mut self, template: Template, answers: &mut Answers) -> io::Result<()> {
        let usual = "cn-hangzhou";
        let region = match &answers.region {
            Some(region) => region.clone(),
            None => self.line("Region", usual)?,
        };
        let zones = if region == usual { "cn-hangzhou-h, cn-hangzhou-i" } else { "" };
        let question = "Two zones of it that have ALB, for its two addresses";
        self.until_good(template, answers, (question, zones), |answers, text| {
            answers.region = Some(region.clone());
            answers.zones = text.split(',').map(|zone| zone.trim().to_owned()).collect();
            answers.check()
        })
    }

    /// Asks until the topology is good with the answer.
    fn until_good(
        &mut self,
        template: Template,
        answers: &mut Answers,
        (question, usual): (&str, &str),
        take: impl Fn(&mut Answers, String) -> Result<(), &'static str>,
    ) -> io::Result<()> {
        loop {
            let text = self.line(question, usual)?;
            let mut changed = answers.clone();
            if let Err(why) = take(&mut changed, text) {
                writeln!(self.questions, "  {why}")?;
                continue;
            }
            match topology::load(template.text(&changed).as_bytes()) {
                Ok(_) => {
                    *answers = changed;
                    return Ok(());
                }
                Err(found) => {
                    for one in found {
                        writeln!(self.questions, "  {}: {}", one.message, one.cause)?;
                    }
                }
            }
        }
    }

    /// An answer that is not empty, or the usual one.
    fn line(&mut self, question: &str, usual: &str) -> io::Result<String> {
        loop {
            let offer = if usual.is_empty() { String::new() } else { format!(" [{usual}]") };
            write!(self.questions, "{question}{offer}: ")?;
            self.questions.flush()?;
            let mut line = String::new();
            if self.answers.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let text = line.trim();
            match (text.is_empty(), usual.is_empty()) {
                (false, _) => return Ok(text.to_owned()),
                (true, false) => return Ok(usual.to_owned()),
                (true, true) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of these lines, and what was asked.
    fn hold(given: &Answers, lines: &str) -> (io::Result<(Template, Answers)>, String) {
        let mut conversation = Conversation { answers: lines.as_bytes(), questions: Vec::new() };
        let outcome = conversation.hold(None, given);
        (outcome, String::from_utf8(conversation.questions).unwrap())
    }

    #[test]
    fn empty_answers_are_the_usual_ones_where_there_are_some() {
        let (outcome, asked) = hold(&Answers::default(), "\n\n\n\n\n198.51.100.7/32\n\nexample.org\n");
        let (template, answers) = outcome.unwrap();
        assert_eq!(template, Template::Chatroom);
        assert_eq!(answers.stack.as_deref(), Some("chatroom"));
        assert_eq!(answers.zones, ["cn-hangzhou-h", "cn-hangzhou-i"]);
        assert_eq!(answers.domain.as_deref(), Some("example.org"));
        assert_eq!(asked.matches("Addresses that you log in from").count(), 2, "{asked}");
    }

    #[test]
    fn a_bad_answer_is_told_and_asked_for_again() {
        let lines = "9\n3\nA b\ntalk\ncn-hongkong\ncn-hongkong-b\ncn-hongkong-b, cn-hongkong-c\nhere\n198.51.100.0/24\nexample.org\n";
        let (outcome, asked) = hold(&Answers::default(), lines);
        let (template, answers) = outcome.unwrap();
        assert_eq!((template, answers.stack.as_deref()), (Template::Tair, Some("talk")));
        assert_eq!(answers.region.as_deref(), Some("cn-hongkong"));
        assert!(asked.contains("`9` is none of 1 to 5"), "{asked}");
        for question in ["Name of the stack", "Two zones", "Addresses"] {
            assert_eq!(asked.matches(question).count(), 2, "{question}: {asked}");
        }
    }

    #[test]
    fn what_was_given_is_not_asked_for_and_who_leaves_gets_nothing() {
        let given = Answers { domain: Some("example.org".to_owned()), ..Answers::default() };
        let (outcome, asked) = hold(&given, "1\n\n\n\n198.51.100.7/32\n");
        assert!(outcome.is_ok() && !asked.contains("domain"), "{asked}");
        assert!(hold(&Answers::default(), "1\n").0.is_err());
    }
}
