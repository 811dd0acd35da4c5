//! What the console of an instance shows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::api::{Call, Handler, images, instances};
use crate::wire::ApiError;
use crate::world::Moment;
use crate::world::instance::{Instance, InstanceStatus};

pub(super) const ACTIONS: &[(&str, Handler)] = &[("GetInstanceConsoleOutput", get_instance_console_output)];

/// Eight hours: the time of the last line is told in the time of Peking.
const PEKING: Moment = 8 * 3_600_000;

fn get_instance_console_output(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("InstanceId")?;
    let missing =
        |_| ApiError::not_found("InvalidParameter", format!("The specified instance {id} does not exist."));
    let instance = instances::find(call.world, id).map_err(missing)?;
    if instance.status != InstanceStatus::Running {
        let message = format!("The instance {id} is {:?}, not Running.", instance.status);
        return Err(ApiError::new(405, "IncorrectInstanceStatus", message));
    }
    let (text, updated) = match call.world.consoles.get(id) {
        Some(console) => (console.text.clone(), console.updated),
        None => (boot_log(instance), instance.started),
    };
    let text = if call.parameters.flag("RemoveSymbols") { plain(&text) } else { text };
    Ok(json!({
        "InstanceId": id,
        "ConsoleOutput": STANDARD.encode(text),
        "LastUpdateTime": time_in_peking(updated),
    }))
}

/// A control plane without hosts shows what a boot would have.
fn boot_log(instance: &Instance) -> String {
    let system = images::find(&instance.image).map_or("Linux", |image| image.system);
    format!(
        "Booting {system} on {}\r\n\x1b[32m[  OK  ]\x1b[0m Reached target Multi-User System.\r\n\r\n{} login: ",
        instance.instance_type, instance.host_name
    )
}

/// The text without colours and other control sequences.
fn plain(text: &str) -> String {
    let mut clean = String::new();
    let mut characters = text.chars().peekable();
    while let Some(one) = characters.next() {
        if one == '\x1b' && characters.next_if_eq(&'[').is_some() {
            while characters.next_if(|next| !next.is_ascii_alphabetic()).is_some() {}
            characters.next();
        } else if one == '\n' || one == '\t' || !one.is_control() {
            clean.push(one);
        }
    }
    clean
}

/// `2018-03-22 10:04:57`, in UTC+8.
fn time_in_peking(moment: Moment) -> String {
    let time = jiff::Timestamp::from_millisecond(moment + PEKING).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_removed_and_time_is_that_of_peking() {
        assert_eq!(plain("\x1b[32mOK\x1b[0m\r\nlogin: "), "OK\nlogin: ");
        assert_eq!(time_in_peking(0), "1970-01-01 08:00:00");
    }
}
