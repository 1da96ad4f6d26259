//! Many real daemons: they find each other, agree, and survive losing a third of themselves.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    env, fs,
    process::{Command, Stdio},
};

use tests::{Daemon, Folder, arg, musicdao};

/// Set inside a network namespace of the test's own.
const INSIDE: &str = "MUSICDAO_TEST_NAMESPACE";

/// Publishes a second of silence, different for every title.
fn publish(daemon: &Daemon, title: &str) -> String {
    let folder = Folder::new();
    let file = folder.path().join(format!("{title}.wav"));
    fs::write(&file, silence(title)).unwrap();
    let published =
        daemon.run(&["publish", arg(&file), "--title", title, "--artist", "Nobody", "--license", "CC0-1.0"]);
    published["release_id"].as_str().unwrap().to_owned()
}

/// A second of 8-bit mono PCM in RIFF WAVE whose last samples differ by the title.
fn silence(title: &str) -> Vec<u8> {
    let mut samples = vec![128_u8; 8000];
    samples.extend(title.bytes());
    samples.extend(vec![0; samples.len() % 2]);
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend((36 + samples.len() as u32).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(8000_u32.to_le_bytes());
    wav.extend(8000_u32.to_le_bytes());
    wav.extend(b"\x01\0\x08\0data");
    wav.extend((samples.len() as u32).to_le_bytes());
    wav.extend(samples);
    wav
}

fn assert_all_agree(daemons: &[Daemon], releases: &mut Vec<String>) {
    releases.sort();
    for daemon in daemons {
        daemon.until(&format!("{} releases", releases.len()), |one| {
            (one.releases() == *releases).then_some(())
        });
    }
}

#[test]
fn ten_daemons_meet_through_one_invite() {
    let mut daemons = vec![Daemon::start(&[])];
    for _ in 1..10 {
        daemons.push(Daemon::start(&[&daemons[0]]));
    }
    let mut releases: Vec<String> =
        daemons.iter().enumerate().map(|(number, one)| publish(one, &format!("song {number}"))).collect();
    assert_all_agree(&daemons, &mut releases);
    daemons.into_iter().for_each(|daemon| drop(daemon.stop()));
}

#[test]
fn fifty_daemons_agree_although_a_third_is_killed() {
    let mut daemons = vec![Daemon::start(&[])];
    for number in 1..50_usize {
        let friend = &daemons[number / 3];
        daemons.push(Daemon::start(&[friend]));
    }
    let mut releases: Vec<String> = daemons
        .iter()
        .step_by(5)
        .enumerate()
        .map(|(number, one)| publish(one, &format!("before {number}")))
        .collect();

    // The first one, by whom all the others came, is among the killed.
    let (dying, mut living): (Vec<_>, Vec<_>) =
        daemons.into_iter().enumerate().partition(|(number, _)| number % 3 == 0);
    let folders: Vec<Folder> = dying.into_iter().map(|(_, daemon)| daemon.kill()).collect();
    let (_, survivor) = &living[0];
    releases.push(publish(survivor, "meanwhile"));
    let link = survivor.invite();
    living.extend(folders.into_iter().map(|folder| (0, folder.daemon(&["--peer", &link]))));
    let daemons: Vec<Daemon> = living.into_iter().map(|(_, daemon)| daemon).collect();
    assert_all_agree(&daemons, &mut releases);
}

#[test]
fn ten_daemons_meet_on_the_lan_without_any_invite() {
    if env::var_os(INSIDE).is_none() {
        return again_in_a_namespace("ten_daemons_meet_on_the_lan_without_any_invite");
    }
    let suffix = format!("{:06x}", std::process::id() & 0xFF_FFFF);
    let daemons: Vec<Daemon> = (0..10)
        .map(|_| {
            let folder = Folder::new();
            folder.run(&["config", "set", "mdns_suffix", &suffix]);
            folder.daemon_with(Command::new(musicdao()), &["--no-dht"])
        })
        .collect();
    let mut releases: Vec<String> =
        daemons.iter().enumerate().map(|(number, one)| publish(one, &format!("song {number}"))).collect();
    assert_all_agree(&daemons, &mut releases);
}

/// Runs one test of this program again, with a network of its own that nothing leaves.
fn again_in_a_namespace(test: &str) {
    let refused =
        |command: &mut Command| !command.stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    if refused(Command::new("unshare").args(["-rn", "true"])) {
        println!("skipped: no namespaces");
        return;
    }
    let network = "ip link set lo up && ip link add lan type veth peer name far && ip addr add 10.77.0.1/24 dev lan \
                   && ip link set far up && ip link set lan up && ip route add default dev lan && exec \"$@\"";
    let status = Command::new("unshare")
        .args(["-rn", "sh", "-c", network, "sh"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .unwrap();
    assert!(status.success(), "{test} failed inside its namespace");
}
