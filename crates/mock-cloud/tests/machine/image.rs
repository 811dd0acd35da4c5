//! `mock-cloud image`: what is there is not built again, and what is in use is not removed.

use std::process::{Command, Output};

use crate::support::{Region, can_have_machines};

fn image(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mock-cloud")).arg("image").args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_built_once_listed_and_kept_while_machines_stand_on_it() {
    if !can_have_machines("an_image_is_built_once_listed_and_kept_while_machines_stand_on_it") {
        return;
    }
    let again = image(&["build"]);
    assert!(again.status.success() && said(&again).contains("is there already"), "{}", said(&again));
    let listed = image(&["list"]);
    assert!(
        said(&listed).starts_with("debian ") && !said(&listed).contains("another version"),
        "{}",
        said(&listed)
    );

    let region = Region::with_machines(1).await;
    let removed = image(&["remove"]);
    assert_eq!(removed.status.code(), Some(1));
    // Other clouds that run are as good a reason as this one.
    assert!(said(&removed).contains("is used by the cloud of process "), "{}", said(&removed));
    region.plane.shutdown().await;

    let missing = image(&["remove", "none"]);
    assert_eq!(
        (missing.status.code(), said(&missing).as_str()),
        (Some(1), "mock-cloud: there is no image none\n")
    );
    let unsafe_name = image(&["build", "../debian"]);
    assert_eq!(unsafe_name.status.code(), Some(1));
    assert!(said(&unsafe_name).contains("is no name for an image"), "{}", said(&unsafe_name));
}
