//! Payments that are cut short, by a power cut or a full disk: made and recorded, or not made at all.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{fs, path::Path};

use chain::testenv::{Bitcoind, Purse};
use serde_json::Value;
use tests::{Daemon, Folder, arg, money::*, small_disk};

/// Where a process can be made to die.
const PLACES: [&str; 4] = ["signed", "kept", "published", "sent"];

/// Asks for a payment of a process that dies at a place, then once more of one that does not, as somebody who does not
/// know what became of it.
fn twice(
    payer: Daemon,
    bitcoind: &Bitcoind,
    friends: &[&Daemon],
    place: &str,
    wish: &[&str],
) -> (Daemon, Value) {
    let dying = doomed(payer.stop(), bitcoind, place);
    until_synced(&dying, bitcoind);
    let file = passphrase(dying.folder());
    let wish = [wish, &["--key", place, "--passphrase-file", arg(&file)]].concat();
    // It dies before or after it answers.
    let _ = dying.folder().output(&wish);
    let (code, folder) = dying.ended();
    assert_eq!(code, None, "{place}: it was not killed");
    let payer = daemon(folder, bitcoind, friends);
    until_synced(&payer, bitcoind);
    let paid = payer.run(&wish);
    until_in_mempool(&payer, bitcoind, &text(&paid, "txid"));
    assert_eq!(waiting(bitcoind), 1, "{place}");
    (payer, paid)
}

#[test]
fn an_investment_and_a_payout_are_made_once_although_the_process_dies() {
    let bitcoind = Bitcoind::start();
    let mut purse = Purse::fill(&bitcoind, 3);
    let mut artist = member("Ada", &bitcoind, &mut purse, &[]);
    let mut one = member("One", &bitcoind, &mut purse, &[&artist]);
    let fan = member("Two", &bitcoind, &mut purse, &[&artist, &one]);
    mine(&bitcoind, &[&artist, &one, &fan]);
    let offer = offer(&artist, &[]);
    [&one, &fan].iter().for_each(|daemon| drop(until_offer(daemon, &offer)));

    for place in PLACES {
        let (again, invested) = twice(one, &bitcoind, &[&artist], place, &["invest", &offer, "50000"]);
        one = again;
        mine(&bitcoind, &[&artist, &one, &fan]);
        until_note(&one, &text(&invested, "note_id"), "active");
    }
    let mut owed_before = 0;
    for (round, place) in PLACES.into_iter().enumerate() {
        pay(&fan, &bitcoind, &["tip", artist.id(), "60000"]);
        mine(&bitcoind, &[&artist, &one, &fan]);
        let (again, paid) = twice(artist, &bitcoind, &[&one, &fan], place, &["payout", &offer]);
        artist = again;
        assert_eq!(artist.fail(&["payout", &offer]), "payout_pending", "{place}");
        mine(&bitcoind, &[&artist, &one, &fan]);
        // A fifth, by 200,000 of 300,000.
        let lines = list(&paid, "lines");
        assert_eq!((lines.len(), sum(&lines, "sat")), (4, 8_000), "{place}");
        owed_before += 8_000;
        let settled = |audit: &Value| {
            list(audit, "payouts").len() == round + 1 && sum(&list(audit, "notes"), "paid_sat") == owed_before
        };
        complete_audit(&fan, artist.id(), settled);
        assert_eq!(artist.fail(&["payout", &offer]), "nothing_owed", "{place}");
    }
    let history = list(&artist.run(&["wallet", "history"]), "transactions");
    let outgoing = history.iter().filter(|tx| tx["net_sat"].as_i64() < Some(0)).count();
    assert_eq!(outgoing, PLACES.len());
}

#[test]
fn small_tips_go_together_when_that_is_asked_for() {
    let bitcoind = Bitcoind::start();
    let mut purse = Purse::fill(&bitcoind, 3);
    let artist = member("Ada", &bitcoind, &mut purse, &[]);
    let other = member("Bea", &bitcoind, &mut purse, &[&artist]);
    let one = member("One", &bitcoind, &mut purse, &[&artist, &other]);
    mine(&bitcoind, &[&artist, &other, &one]);
    assert_eq!(one.fail(&["tip", "--waiting"]), "no_tips_waiting");
    let mut tips = Vec::new();
    for (payee, amount) in [(&artist, "200"), (&other, "400"), (&artist, "150")] {
        let tip = one.until("somebody to pay", |one| {
            let output = one.folder().output(&["tip", payee.id(), amount, "--fee-rate", "5"]);
            serde_json::from_slice::<Value>(&output.stdout).ok()
        });
        assert_eq!((&tip["waiting"], &tip["txid"]), (&Value::Bool(true), &Value::Null), "{tip}");
        tips.push(text(&tip, "payment_id"));
    }
    assert_eq!(waiting(&bitcoind), 0);
    // They outlive a crash, and one payment takes all of them.
    let one = daemon(one.kill(), &bitcoind, &[&artist, &other]);
    until_synced(&one, &bitcoind);
    unlock(&one);
    let listed = list(&one.run(&["tips"]), "payments");
    assert_eq!(listed.iter().filter(|tip| tip["waiting"] == true).count(), 3);
    let trial = one.run(&["tip", "--waiting", "--fee-rate", "2", "--dry-run"]);
    assert_eq!((&trial["amount_sat"], &trial["txid"]), (&Value::from(750), &Value::Null));
    let before = balance(&one).0;
    let sent = pay(&one, &bitcoind, &["tip", "--waiting", "--fee-rate", "2"]);
    assert_eq!(waiting(&bitcoind), 1);
    mine(&bitcoind, &[&artist, &other, &one]);
    assert_eq!(balance(&one).0, before - 750 - number(&sent, "fee_sat"));
    for (artist, sat, count) in [(&artist, 350, 2), (&other, 400, 1)] {
        let told = artist.until("the tips", |artist| {
            let tips = list(&artist.run(&["tips"]), "payments");
            tips.iter()
                .all(|tip| tip["confirmations"] == 1)
                .then_some(tips)
                .filter(|tips| tips.len() == count)
        });
        assert_eq!(sum(&told, "amount_sat"), sat);
        assert!(told.iter().all(|tip| tips.contains(&text(tip, "payment_id"))));
        let supporters = list(&artist.run(&["income"]), "supporters");
        assert_eq!((supporters.len(), &supporters[0]["id"]), (1, &Value::from(one.id())));
    }
    assert_eq!(one.fail(&["tip", "--waiting"]), "no_tips_waiting");
}

#[test]
fn on_a_full_disk_a_payment_is_made_and_recorded_or_refused() {
    let Some(disk) = small_disk("on_a_full_disk_a_payment_is_made_and_recorded_or_refused", 24) else {
        return;
    };
    let bitcoind = Bitcoind::start();
    let mut purse = Purse::fill(&bitcoind, 3);
    let artist = member("Ada", &bitcoind, &mut purse, &[]);
    let one = daemon(Folder::within(&disk), &bitcoind, &[&artist]);
    create(&one);
    purse.pay(
        &bitcoind,
        &script(&text(&one.run(&["wallet", "address"]), "address")),
        domain::bitcoin::Amount::from_sat(FUNDS),
    );
    mine(&bitcoind, &[&artist, &one]);
    let offer = offer(&artist, &[]);
    until_offer(&one, &offer);
    let file = passphrase(one.folder());
    let wish = |round: usize| -> Vec<String> {
        let kind: [&str; 3] = match round % 3 {
            0 => ["tip", artist.id(), "10000"],
            1 => ["invest", &offer, "10000"],
            _ => ["wallet", "send", &text(&artist.run(&["wallet", "address"]), "address")],
        };
        let more = if round % 3 == 2 { vec!["10000"] } else { Vec::new() };
        let rest =
            ["--key".to_owned(), format!("wish {round}"), "--passphrase-file".into(), arg(&file).into()];
        kind.iter()
            .map(|it| (*it).to_owned())
            .chain(more.into_iter().map(str::to_owned))
            .chain(rest)
            .collect()
    };
    // Less and less room, until there is none, and then none at all.
    let mut made = Vec::new();
    let mut refused = 0;
    for round in 0..12 {
        fill(&disk, round, if round < 6 { 48 << 10 } else { 0 });
        let wish = wish(round);
        let args: Vec<&str> = wish.iter().map(String::as_str).collect();
        let output = one.folder().output(&args);
        match serde_json::from_slice::<Value>(&output.stdout) {
            Ok(paid) => made.push(text(&paid, "txid")),
            Err(_) => {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(said.contains("disk_full"), "{said}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "the disk was never full");
    assert!(!made.is_empty(), "there was never any room");
    // With room again every payment that was told is made, and no other one.
    for name in fs::read_dir(&disk).unwrap().flatten() {
        if name.file_name().to_string_lossy().starts_with("full") {
            fs::remove_file(name.path()).unwrap();
        }
    }
    let one = daemon(one.kill(), &bitcoind, &[&artist]);
    until_synced(&one, &bitcoind);
    made.iter().for_each(|txid| until_in_mempool(&one, &bitcoind, txid));
    assert_eq!(waiting(&bitcoind), made.len());
    mine(&bitcoind, &[&artist, &one]);
    let history = list(&one.run(&["wallet", "history"]), "transactions");
    let outgoing = history.iter().filter(|tx| tx["net_sat"].as_i64() < Some(0)).count();
    assert_eq!(outgoing, made.len());
    // What was refused can be paid now.
    let wish = wish(11);
    let args: Vec<&str> = wish.iter().map(String::as_str).collect();
    until_in_mempool(&one, &bitcoind, &text(&one.run(&args), "txid"));
    complete_audit(&artist, artist.id(), |_| true);
}

/// Takes all room on a disk but so many bytes.
fn fill(disk: &Path, number: usize, left: usize) {
    let file = disk.join(format!("full {number}"));
    let chunk = vec![0_u8; 4096];
    let mut written = fs::File::create(&file).unwrap();
    let mut size = 0;
    while std::io::Write::write_all(&mut written, &chunk).is_ok() {
        size += chunk.len();
    }
    written.set_len(size.saturating_sub(left) as u64).unwrap();
}
