//! The files of a small Debian, made once and kept under `target/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What the machine has beside the packages that every Debian has.
const PACKAGES: &str = "systemd,systemd-sysv";

/// The root of the tree, which machines do not change: what they write is theirs alone.
pub fn tree() -> &'static Path {
    static TREE: OnceLock<PathBuf> = OnceLock::new();
    TREE.get_or_init(make)
}

/// The folder of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn make() -> PathBuf {
    let suite = suite();
    let kept = repository().join("target/systemd");
    let tree = kept.join(format!("{suite}-{}", PACKAGES.replace(',', "-")));
    if tree.is_dir() {
        return tree;
    }
    fs::create_dir_all(&kept).expect("target/ can be written");
    // Under another name until it is whole, so that one that was interrupted is not taken for it.
    let part = kept.join(format!("part-{}", std::process::id()));
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.args(["--variant=minbase", &format!("--include={PACKAGES}"), &suite]);
    let made = debootstrap.arg(&part).arg("http://deb.debian.org/debian").output();
    let made = made.expect("debootstrap runs: 'apt-get install debootstrap', and root");
    let text = String::from_utf8_lossy(&made.stdout);
    let failed = "debootstrap failed; it needs root and a mirror of Debian's packages";
    assert!(made.status.success(), "{failed}:\n{text}");
    let _ = fs::remove_dir_all(part.join("var/cache/apt/archives"));
    fs::rename(&part, &tree)
        .or_else(|e| if tree.is_dir() { Ok(()) } else { Err(e) })
        .expect("a name in the same folder");
    tree
}

/// The release of Debian that runs here, so that a program that was built here runs there.
fn suite() -> String {
    let text = fs::read_to_string("/etc/os-release").expect("a Linux system names itself");
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches('"').to_string()
    };
    assert_eq!(value("ID"), "debian", "these tests make a machine of the Debian they run on");
    value("VERSION_CODENAME")
}
