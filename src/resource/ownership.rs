//! How the resources of a stack are told from others in the same account.
//!
//! What can be tagged carries two tags: the stack and the resource. A security rule has no tags and carries the same
//! in its description, a DNS record in its remark.

use crate::base::ids::{ClientToken, StackName};
use crate::resource::ResourceAddress;

/// Tag that names the stack.
pub const STACK_TAG: &str = "albatross:stack";
/// Tag that names the resource within it.
pub const RESOURCE_TAG: &str = "albatross:resource";
/// Tag that says how often the resource was made before. Of two with one address the higher is the one that stays,
/// when no journal knows better.
pub const GENERATION_TAG: &str = "albatross:generation";
/// Tag of an instance that names the image family it was made from: the cloud only keeps the image.
pub const IMAGE_TAG: &str = "albatross:image";
/// Tag of an instance that stands for what it was told at its first start: a digest of it.
pub const USER_DATA_TAG: &str = "albatross:user-data";
/// Tag of an instance that says how long it was to live, and until when that is: so a time that others have set is told from
/// that, and one that goes on is no change.
pub const EXPIRES_TAG: &str = "albatross:expires";
/// Tag of an instance that holds its SSH host key, read once through the Cloud Assistant.
///
/// So the key is pinned where every operator and every machine finds it, through the cloud's own authenticated
/// channel, and a lost state directory loses no pin.
pub const HOST_KEY_TAG: &str = "albatross:host-key";
/// What that tag says when the operator knows the key, and nobody else was asked.
pub const OF_OPERATOR: &str = "known to the operator";

/// Tag of a certificate that says where it comes from: [`SELF_SIGNED`], or the digest of the chain that was uploaded.
pub const ORIGIN_TAG: &str = "albatross:origin";
/// Value of [`ORIGIN_TAG`] of a certificate that was made with its key.
pub const SELF_SIGNED: &str = "self-signed";
/// Tag of a managed Redis that stands for the password of its account: a digest of what was drawn at random, and long.
///
/// It is written before the password is set. So of several passwords on the nodes everybody can tell the one that
/// counts, and an interrupted change is known to be one.
pub const PASSWORD_TAG: &str = "albatross:password";

/// Value of [`IMAGE_TAG`]. The values of tags do not begin with `acs:`, as the names of families do.
pub fn image_tag(family: &str) -> String {
    format!("{IMAGE_PREFIX}{family}")
}

/// The family a value of [`IMAGE_TAG`] names.
pub fn tagged_image(value: &str) -> Option<&str> {
    value.strip_prefix(IMAGE_PREFIX)
}

const IMAGE_PREFIX: &str = "family=";

/// Description of a security rule, which cannot be tagged. Dots: the cloud's fields of this kind take no colons.
pub fn remark(stack: &StackName, address: &ResourceAddress) -> String {
    format!("albatross.{stack}.{address}")
}

/// The resource a description names, when it is one of this stack.
pub fn remarked(stack: &StackName, remark: &str) -> Option<ResourceAddress> {
    remark.strip_prefix(&format!("albatross.{stack}."))?.parse().ok()
}

/// The stack a description of ours names, whichever it is.
pub fn stack_of_remark(remark: &str) -> Option<String> {
    let (stack, address) = remark.strip_prefix("albatross.")?.split_once('.')?;
    address.parse::<ResourceAddress>().ok().map(|_| stack.to_owned())
}

/// Remark of the DNS record, of which a stack has one; the field holds 50 characters.
pub fn record_remark(stack: &StackName) -> String {
    format!("albatross.{stack}")
}

/// Name shown in consoles.
pub fn console_name(stack: &StackName, address: &ResourceAddress) -> String {
    format!("{stack}-{}-{}", address.kind.word().replace('_', "-"), address.name)
}

/// Name of a certificate: no two of an account have the same, and a new one stands beside the old one for a while.
/// The token of its upload tells them apart; the name holds 63 characters.
pub fn certificate_name(stack: &StackName, address: &ResourceAddress, token: &ClientToken) -> String {
    let token = token.as_str();
    format!("{}-{}", console_name(stack, address), &token[..token.len().min(8)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Kind;

    #[test]
    fn a_remark_names_its_resource_and_no_other_stacks() {
        let address = ResourceAddress::new(Kind::SecurityRule, "ssh-203.0.113.0-24");
        let remark = remark(&StackName::new("chat"), &address);
        assert_eq!(remarked(&StackName::new("chat"), &remark), Some(address));
        assert_eq!(remarked(&StackName::new("chatroom"), &remark), None);
    }
}
