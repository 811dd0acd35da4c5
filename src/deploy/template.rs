//! Files for hosts, rendered strictly: a variable without a value is an error, never an empty string.

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};

use super::error::DeployError;

/// A template that is part of the program.
#[derive(Debug, Clone, Copy)]
pub(super) struct Template {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

pub(super) const NODE_UNIT: Template =
    Template { name: "chat-node.service", text: include_str!("../../templates/chat-node.service") };
pub(super) const APP_UNIT: Template =
    Template { name: "app.service", text: include_str!("../../templates/app.service") };
pub(super) const NODE_ENVIRONMENT: Template =
    Template { name: "chat-node.env", text: include_str!("../../templates/chat-node.env") };
pub(super) const REVERT_SERVICE: Template = Template {
    name: "albatross-revert.service",
    text: include_str!("../../templates/albatross-revert.service"),
};
pub(super) const REVERT_TIMER: Template =
    Template { name: "albatross-revert.timer", text: include_str!("../../templates/albatross-revert.timer") };
pub(super) const OUTAGE_SERVICE: Template = Template {
    name: "albatross-outage.service",
    text: include_str!("../../templates/albatross-outage.service"),
};
pub(super) const OUTAGE_TIMER: Template =
    Template { name: "albatross-outage.timer", text: include_str!("../../templates/albatross-outage.timer") };
pub(super) const REDIS_UNIT: Template = Template {
    name: "albatross-redis.service",
    text: include_str!("../../templates/albatross-redis.service"),
};
pub(super) const REDIS_CONFIGURATION: Template =
    Template { name: "redis.conf", text: include_str!("../../templates/redis.conf") };
pub(super) const KERNEL_SETTINGS: Template =
    Template { name: "redis-sysctl.conf", text: include_str!("../../templates/redis-sysctl.conf") };
pub(super) const KERNEL_FILES: Template =
    Template { name: "redis-tmpfiles.conf", text: include_str!("../../templates/redis-tmpfiles.conf") };

/// Renders a template with the given values.
pub(super) fn render(template: Template, values: Value) -> Result<String, DeployError> {
    let fault = |source| DeployError::Template { file: template.name, source };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("plain", plain);
    let text =
        environment.template_from_str(template.text).and_then(|page| page.render(values)).map_err(fault)?;
    // The engine drops the last line's end, which configuration files want.
    Ok(text + "\n")
}

/// Lets a value through that no configuration format gives a meaning to. The value itself may be a secret, so an
/// objection does not repeat it.
fn plain(value: String) -> Result<String, minijinja::Error> {
    let harmless = |character: char| character.is_ascii_alphanumeric() || "-_.:/,@[]*".contains(character);
    if !value.is_empty() && value.chars().all(harmless) {
        return Ok(value);
    }
    Err(minijinja::Error::new(
        ErrorKind::InvalidOperation,
        "a value is empty or has a character that is not allowed here",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::context;

    #[test]
    fn a_missing_value_and_a_value_that_would_break_out_are_errors() {
        let template = Template { name: "x", text: "{{ here | plain }}\n" };
        assert_eq!(render(template, context! { here => "a.b:1" }).unwrap(), "a.b:1\n");
        for values in [context! {}, context! { here => "" }, context! { here => "a\nrename-command GET x" }] {
            let error = render(template, values).unwrap_err();
            assert_eq!(error.to_string(), "x cannot be written from its template");
        }
    }
}
