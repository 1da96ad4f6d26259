//! The doctor: checks, and a bundle that its owner reads before sharing it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use flate2::{Compression, write::GzEncoder};
use node::{
    Settings,
    api::{ApiError, Check, ConfigValues, Doctor, Request},
};

use crate::{
    failure::Failure,
    logs,
    output::{Human, Output},
    session::Session,
};

/// What stands first in a bundle.
const README: &str = "MusicDAO's doctor wrote this for you. Read it before you share it.\n\n\
    checks.txt     what was checked and found\n\
    config.json    the settings; your addresses are among them where you set any\n\
    logs/          what the program did; addresses, search terms and secrets are not logged\n";

/// Checks, tells, and writes a bundle where one is wanted. A node that cannot start is a finding, too.
///
/// # Errors
/// `checks_failed` where something is wrong, and those of files and standard output.
pub(crate) async fn run(
    bundle: Option<&Path>,
    data: &Path,
    output: Output,
    wait: Duration,
    verbose: u8,
) -> Result<(), Failure> {
    let (doctor, config) = match Session::open(data, wait, output, verbose).await {
        Ok(session) => {
            let examined = examine(&session).await;
            session.close().await;
            examined?
        }
        Err(error) => (not_starting(&error), settings(data)),
    };
    output.say(&doctor)?;
    if let Some(file) = bundle {
        write_bundle(file, data, &doctor, &config).map_err(|error| Failure::file(file, error))?;
        output.note(&format!("Wrote {}: read it before you share it.", file.display()));
    }
    let wrong: Vec<&str> =
        doctor.checks.iter().filter(|check| !check.ok).map(|check| check.name.as_str()).collect();
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(ApiError::new("checks_failed", format!("wrong: {}", wrong.join(", "))).into()),
    }
}

/// Where a database went.
#[derive(serde::Serialize)]
struct Aside {
    aside: PathBuf,
}

/// Renames the database, so that the next node begins with an empty one.
///
/// # Errors
/// `already_running`, and those of files and standard output.
pub(crate) fn set_aside(data: &Path, output: Output) -> Result<(), Failure> {
    let aside = Aside { aside: node::set_aside_database(data)? };
    output.say_as(&aside, || {
        format!(
            "The database is {} now; the next start begins with an empty one.\nYour identity and your files are \
             where they were. What is public comes back from the swarm; you publish again once somebody is \
             connected, or after `musicdao identity take-over`.\n",
            aside.aside.display()
        )
    })
}

async fn examine(session: &Session) -> Result<(Doctor, ConfigValues), ApiError> {
    let doctor = session.ask(Request::Doctor).await?;
    let config = session.ask(Request::ConfigGet { key: None }).await?;
    Ok((doctor, config))
}

fn not_starting(error: &ApiError) -> Doctor {
    let message = format!("the node does not start: {} [{}]", error.message, error.code);
    Doctor { checks: vec![Check { name: "start".to_owned(), ok: false, message }] }
}

/// Returns what can be read of the settings; malformed ones are named by the check that found them.
fn settings(data: &Path) -> ConfigValues {
    let config = Settings::load(data).and_then(|settings| settings.values(None));
    ConfigValues { config: config.unwrap_or_default() }
}

fn write_bundle(file: &Path, data: &Path, doctor: &Doctor, config: &ConfigValues) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut archive = tar::Builder::new(GzEncoder::new(options.open(file)?, Compression::default()));
    append(&mut archive, "README.txt", README.as_bytes())?;
    let version = format!("musicdao {}\n{}", env!("CARGO_PKG_VERSION"), doctor.human());
    append(&mut archive, "checks.txt", version.as_bytes())?;
    let config = serde_json::to_vec_pretty(&config.config)?;
    append(&mut archive, "config.json", &config)?;
    for log in logs::files(data) {
        let name = log.file_name().unwrap_or_default();
        archive.append_file(Path::new("musicdao-doctor/logs").join(name), &mut File::open(&log)?)?;
    }
    archive.into_inner()?.finish()?.sync_all()
}

fn append(archive: &mut tar::Builder<impl Write>, name: &str, content: &[u8]) -> io::Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o600);
    header.set_mtime(now.as_secs());
    header.set_size(content.len() as u64);
    archive.append_data(&mut header, Path::new("musicdao-doctor").join(name), content)
}
