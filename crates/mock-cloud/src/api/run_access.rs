//! How one gets into new instances: key pair, password, user data.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::api::Call;
use crate::wire::{ApiError, Parameters};

/// User data before encoding.
const USER_DATA_LIMIT: usize = 32 * 1024;
/// What a password may hold beside letters and digits.
const SPECIAL: &str = "()`~!@#$%^&*-_+=|{}[]:;'<>,.?/";

/// The key pair of a call.
///
/// # Errors
/// `InvalidKeyPairName.NotFound`.
pub(super) fn read_key_pair(call: &Call<'_>) -> Result<Option<String>, ApiError> {
    let Some(name) = call.parameters.text("KeyPairName") else {
        return Ok(None);
    };
    if call.world.key_pairs.contains_key(&(call.region.clone(), name.to_owned())) {
        return Ok(Some(name.to_owned()));
    }
    let message = format!("The specified key pair {name} does not exist.");
    Err(ApiError::not_found("InvalidKeyPairName.NotFound", message))
}

/// 8 to 30 characters, three kinds of lower case, upper case, digits and special ones.
///
/// # Errors
/// `InvalidPassword.Malformed`, `InvalidPasswordParam.Mismatch`.
pub(super) fn check_password(parameters: &Parameters) -> Result<(), ApiError> {
    let Some(password) = parameters.text("Password") else { return Ok(()) };
    if parameters.flag("PasswordInherit") {
        let message = "Password and PasswordInherit exclude each other.";
        return Err(ApiError::bad_request("InvalidPasswordParam.Mismatch", message));
    }
    let kinds = [
        password.contains(|one: char| one.is_ascii_lowercase()),
        password.contains(|one: char| one.is_ascii_uppercase()),
        password.contains(|one: char| one.is_ascii_digit()),
        password.contains(|one: char| SPECIAL.contains(one)),
    ];
    let known = password.chars().all(|one| one.is_ascii_alphanumeric() || SPECIAL.contains(one));
    if known && (8..=30).contains(&password.len()) && kinds.into_iter().filter(|kind| *kind).count() >= 3 {
        return Ok(());
    }
    Err(ApiError::bad_request("InvalidPassword.Malformed", "The Password is not valid."))
}

/// The decoded user data of a call.
///
/// # Errors
/// `InvalidUserData.Base64FormatInvalid`, `InvalidUserData.SizeExceeded`.
pub(super) fn read_user_data(parameters: &Parameters) -> Result<Option<Vec<u8>>, ApiError> {
    let Some(text) = parameters.text("UserData") else {
        return Ok(None);
    };
    let malformed =
        |_| ApiError::bad_request("InvalidUserData.Base64FormatInvalid", "The UserData is not Base64.");
    let decoded = STANDARD.decode(text).map_err(malformed)?;
    if decoded.len() <= USER_DATA_LIMIT {
        return Ok(Some(decoded));
    }
    Err(ApiError::bad_request("InvalidUserData.SizeExceeded", "The UserData is larger than 32 KB."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_have_three_kinds_of_characters() {
        let code = |password: &str| {
            let given = [("Password".to_owned(), password.to_owned())].into_iter().collect();
            check_password(&given).map_err(|error| error.code)
        };
        assert_eq!(code("Chat-room1"), Ok(()));
        for bad in ["Ab1!", "alllowercase1", "With Space1!", "ÄÖ1aBcdefg", &"Aa1".repeat(11)] {
            assert_eq!(code(bad), Err("InvalidPassword.Malformed".to_owned()), "{bad}");
        }
    }
}
