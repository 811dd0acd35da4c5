//! Every way out of a root that a path may try.

use super::*;

fn root() -> (tempfile::TempDir, Root) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("outside"), "secret").unwrap();
    std::fs::create_dir(folder.path().join("root")).unwrap();
    let root = Root::open(folder.path().join("root")).unwrap();
    root.make_folders("/root", 0o700).unwrap();
    (folder, root)
}

#[test]
fn no_spelling_leaves_the_root() {
    let (_folder, root) = root();
    root.make_folders("/a/b", 0o755).unwrap();
    let link = |name: &str, target: &str| root.place(name, Last::Keep).unwrap().link_to(target).unwrap();
    link("/up", "../../..");
    link("/a/b/up", "../../../../../..");
    link("/absolute", "/");
    link("/chain", "/up/../up/absolute");
    link("/etc", "/");
    for path in [
        "/../outside",
        "../outside",
        "../../../../outside",
        "/up/outside",
        "/a/b/up/outside",
        "/a/b/../../../outside",
        "/absolute/../outside",
        "/chain/outside",
        "/etc/../../outside",
        "/a/./b/.././../../outside",
        "//..//outside",
    ] {
        let place = root.place(path, Last::Follow).unwrap();
        assert_eq!(place.path(), Path::new("/outside"), "{path}");
        assert_eq!(root.read(path).unwrap_err().kind(), io::ErrorKind::NotFound, "{path}");
    }
}

#[test]
fn links_to_real_places_outside_are_looked_up_inside() {
    let (folder, root) = root();
    let outside = folder.path().join("outside");
    root.place("/direct", Last::Keep).unwrap().link_to(outside.to_str().unwrap()).unwrap();
    assert_eq!(root.read("/direct").unwrap_err().kind(), io::ErrorKind::NotFound);
    let place = root.place("/direct", Last::Keep).unwrap();
    assert!(place.open(OFlags::RDONLY, 0).is_err(), "a link is never opened");
    assert!(place.set_mode(0o777).is_err(), "a link's target never changes its mode");
    Root::remove_all(&place).unwrap();
    assert_eq!(std::fs::read_to_string(outside).unwrap(), "secret");
}

#[test]
fn removing_a_folder_does_not_follow_links_in_it() {
    let (folder, root) = root();
    std::fs::create_dir(folder.path().join("kept")).unwrap();
    std::fs::write(folder.path().join("kept/file"), "x").unwrap();
    root.make_folders("/doomed/deep", 0o755).unwrap();
    let kept = folder.path().join("kept");
    std::os::unix::fs::symlink(&kept, folder.path().join("root/doomed/deep/link")).unwrap();
    Root::remove_all(&root.place("/doomed", Last::Keep).unwrap()).unwrap();
    assert!(kept.join("file").exists());
    assert!(!root.exists("/doomed"));
    assert!(Root::remove_all(&root.place("/..", Last::Keep).unwrap()).is_err());
}

#[test]
fn a_path_handed_to_a_program_leads_nowhere_outside() {
    let (folder, root) = root();
    let inner = folder.path().join("root");
    let outside = folder.path().display().to_string();
    for target in [outside.clone(), format!("{outside}/none/x"), "../..".to_owned(), "loop".to_owned()] {
        let place = root.place("/loop", Last::Keep).unwrap();
        let _ = place.remove_file();
        place.link_to(&target).unwrap();
        for path in ["/loop", "/loop/outside", "/loop/none/x", "/loop/../../outside", "/none/../../outside"] {
            let outer = root.outer_path(path);
            assert!(outer.starts_with(&inner), "{path} {target}");
            assert!(std::fs::read(&outer).is_err(), "{path} {target}: {}", outer.display());
        }
    }
}

#[test]
fn a_loop_of_links_ends() {
    let (_folder, root) = root();
    root.place("/one", Last::Keep).unwrap().link_to("two").unwrap();
    root.place("/two", Last::Keep).unwrap().link_to("one").unwrap();
    assert_eq!(
        root.place("/one", Last::Follow).unwrap_err().raw_os_error(),
        Some(Errno::LOOP.raw_os_error())
    );
}

#[test]
fn a_walk_that_races_with_a_changing_link_stays_inside() {
    let (folder, root) = root();
    std::fs::create_dir(folder.path().join("secret")).unwrap();
    std::fs::write(folder.path().join("secret/file"), "secret").unwrap();
    root.make_folders("/real", 0o755).unwrap();
    root.write("/real/file", b"inside", 0o644).unwrap();
    let inner = folder.path().join("root");
    let outside = folder.path().join("secret");
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let swapper = std::thread::spawn(move || {
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            let _ = std::fs::rename(inner.join("real"), inner.join("aside"));
            let _ = std::os::unix::fs::symlink(&outside, inner.join("real"));
            let _ = std::fs::remove_file(inner.join("real"));
            let _ = std::fs::rename(inner.join("aside"), inner.join("real"));
        }
    });
    for _ in 0..3000 {
        if let Ok(bytes) = root.read("/real/file") {
            assert_eq!(bytes, b"inside");
        }
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    swapper.join().unwrap();
}
