//! Publishing, friends and the own identity.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, IsTerminal, Read},
    path::{Path, PathBuf},
};

use node::{
    api::{
        ApiError, BlockCommand, Blocked, Done, Hidden, HideCommand, HideTarget, IdentityRef, Invite, Link,
        Opened, Profile, ProfileEdit, Publish, Published, ReleaseDetail, ReleaseRef, Request, Seeds,
    },
    domain::{PeerId, ReleaseId},
};
use qrcode::{QrCode, render::unicode::Dense1x2};

use super::{Context, absolute};
use crate::{
    args::{BlockAction, HideAction, HideArgs, IdentityAction, ProfileAction, PublishArgs, ReportArgs},
    failure::{Failure, at},
    id::IdText,
    job::{self, Tell},
};

/// Longest passphrase in bytes.
const MAX_PASSPHRASE_LEN: u64 = 4096;
/// What the node answers where an identity's file is encrypted.
const PASSPHRASE_NEEDED: &str = "passphrase_needed";

impl Context<'_> {
    pub(super) async fn profile(&self, action: ProfileAction) -> Result<(), Failure> {
        let request = match action {
            ProfileAction::Set { name, bio, links, avatar } => {
                let avatar = avatar.as_deref().map(absolute).transpose()?;
                Request::ProfileSet(ProfileEdit { name, bio, links, avatar })
            }
            ProfileAction::Show { peer: Some(peer) } => {
                Request::ProfileShow { peer: Some(self.artist_id(&peer).await?) }
            }
            ProfileAction::Show { peer: None } => Request::ProfileShow { peer: None },
        };
        self.output.say(&self.ask::<Profile>(request).await?)
    }

    pub(super) async fn publish(&self, args: PublishArgs) -> Result<(), Failure> {
        let replaces = match &args.replaces {
            Some(release) => Some(self.release(release).await?),
            None => None,
        };
        let paths = args.paths.iter().map(|path| absolute(path)).collect::<Result<_, _>>()?;
        if args.license.is_none() && replaces.is_none() {
            self.output.note(
                "Licence: the one that all files name in their tags, else CC-BY-4.0, by which everybody may pass the \
                 music on and change it who names you. `--license` names another; none can be called back.",
            );
        }
        let request = Request::Publish(Publish {
            paths,
            title: args.title,
            artist: args.artist,
            license: args.license,
            date: args.date,
            tags: Some(args.tags).filter(|tags| !tags.is_empty()),
            description: args.description,
            replaces,
            cover: args.cover.as_deref().map(absolute).transpose()?,
            // Who types the command declares it; its help says so.
            rights_declared: true,
            job: Some(job::name()),
            ..Publish::default()
        });
        let published = job::run::<Published>(self.session, request, self.output, Tell::People).await?;
        self.output.say(&published)?;
        self.remind_of_daemon("Others find and fetch it while");
        Ok(())
    }

    pub(super) async fn withdraw(&self, release: &IdText) -> Result<(), Failure> {
        let release = self.release_id(release).await?;
        let withdrawn = self.ask::<ReleaseRef>(Request::Withdraw { release }).await?;
        self.done(&withdrawn, "Withdrawn:")
    }

    pub(super) async fn seed(&self, release: Option<IdText>, remove: bool) -> Result<(), Failure> {
        let release = match release {
            Some(release) if remove => Some(self.release_id(&release).await?),
            Some(release) => Some(self.release(&release).await?),
            None => None,
        };
        let request = Request::Seed { release, remove, job: Some(job::name()) };
        let seeds = job::run::<Seeds>(self.session, request, self.output, Tell::People).await?;
        self.output.say(&seeds)?;
        if release.is_some() && !remove {
            self.remind_of_daemon("It is served while");
        }
        Ok(())
    }

    pub(super) async fn invite(&self, qr: bool) -> Result<(), Failure> {
        let invite = self.ask::<Invite>(Request::Invite).await?;
        let code = if qr { drawing(&invite.invite)? } else { String::new() };
        self.output.say_as(&invite, || format!("{code}{}\n", invite.invite))?;
        if invite.ways == 0 {
            self.output.note(
                "It names no address that another machine could reach: it leads here only where your friend finds \
                 this node by itself, in the same network or by the DHT. `musicdao doctor` looks into it.",
            );
        }
        self.remind_of_daemon("The link lets a friend in while");
        Ok(())
    }

    pub(super) async fn share(&self, id: &IdText) -> Result<(), Failure> {
        let (release, artist) = self.release_or_artist(id).await?;
        let link = self.ask::<Link>(Request::Share { release, artist }).await?;
        self.output.say_as(&link, || format!("{}\n", link.link))?;
        self.remind_of_daemon("The link leads to you while");
        Ok(())
    }

    pub(super) async fn open(&self, link: String) -> Result<(), Failure> {
        let opened = self.ask::<Opened>(Request::Open { link, wait_ms: None }).await?;
        self.output.say(&opened)
    }

    /// Finds out whether an id is that of a release; else it is taken for an artist's.
    async fn release_or_artist(&self, id: &IdText) -> Result<(Option<ReleaseId>, Option<PeerId>), Failure> {
        let id = self.blockable(id).await?;
        let release: ReleaseId = id.parse().map_err(|_| ApiError::new("id_unknown", "this is no id"))?;
        match self.ask::<ReleaseDetail>(Request::Show { release }).await {
            Ok(_) => Ok((Some(release), None)),
            Err(_) => Ok((None, id.parse().ok())),
        }
    }

    pub(super) async fn join(&self, invite: String) -> Result<(), Failure> {
        let done = self.ask::<Done>(Request::Join { invite }).await?;
        self.output.say_as(&done, || "Joined.\n".to_owned())?;
        self.remind_of_daemon("You stay connected while");
        Ok(())
    }

    pub(super) async fn peers(&self) -> Result<(), Failure> {
        self.output.say(&self.connected().await?)
    }

    pub(super) async fn hide(&self, action: HideAction) -> Result<(), Failure> {
        let command = match action {
            HideAction::Add(args) => HideCommand::Add { what: self.hidden(args).await? },
            HideAction::Remove(args) => HideCommand::Remove { what: self.hidden(args).await? },
            HideAction::List => HideCommand::List,
        };
        self.output.say(&self.ask::<Hidden>(Request::Hide(command)).await?)
    }

    async fn hidden(&self, args: HideArgs) -> Result<HideTarget, Failure> {
        Ok(match args {
            HideArgs { release: Some(release), .. } => {
                HideTarget::Release { release: self.release_id(&release).await? }
            }
            HideArgs { artist: Some(artist), .. } => {
                HideTarget::Artist { artist: self.artist_id(&artist).await? }
            }
            HideArgs { tag, .. } => HideTarget::Tag { tag: tag.unwrap_or_default() },
        })
    }

    pub(super) async fn report(&self, args: ReportArgs) -> Result<(), Failure> {
        let (release, artist) = self.release_or_artist(&args.id).await?;
        let request = Request::Report {
            release,
            artist,
            reason: args.reason.into(),
            note: args.note,
            remove: args.remove,
        };
        let done = self.ask::<Done>(request).await?;
        let words = if args.remove { "Taken back." } else { "Your followers are told." };
        self.output.say_as(&done, || format!("{words}\n"))
    }

    pub(super) async fn block(&self, action: BlockAction) -> Result<(), Failure> {
        let command = match action {
            BlockAction::Add { id } => BlockCommand::Add { id: self.blockable(&id).await? },
            BlockAction::Remove { id } if id.is_whole() => BlockCommand::Remove { id: id.to_string() },
            BlockAction::Remove { id } => {
                let Blocked { blocked, .. } = self.ask(Request::Block(BlockCommand::List)).await?;
                BlockCommand::Remove { id: id.pick(blocked.into_iter().map(|entry| entry.id))? }
            }
            BlockAction::List => BlockCommand::List,
            BlockAction::Share { name } => BlockCommand::Share { name },
            BlockAction::Subscribe { list } => {
                let whole = list.whole().ok_or_else(|| {
                    ApiError::new("id_unknown", "a blocklist is named by all 64 digits of its id")
                })?;
                BlockCommand::Subscribe { list: whole }
            }
            BlockAction::Unsubscribe { list } => {
                if let Some(whole) = list.whole() {
                    let request = Request::Block(BlockCommand::Unsubscribe { list: whole });
                    return self.output.say(&self.ask::<Blocked>(request).await?);
                }
                let Blocked { lists, .. } = self.ask(Request::Block(BlockCommand::List)).await?;
                BlockCommand::Unsubscribe {
                    list: list.pick(lists.iter().filter_map(|one| one.list.parse().ok()))?,
                }
            }
        };
        self.output.say(&self.ask::<Blocked>(Request::Block(command)).await?)
    }

    /// Finds the release or artist that is meant; files are named by whole ids only.
    async fn blockable(&self, id: &IdText) -> Result<String, Failure> {
        if id.is_whole() {
            return Ok(id.to_string());
        }
        let ids = |release: &node::api::ReleaseInfo| {
            vec![release.release_id.to_string(), release.artist_id.to_string()]
        };
        Ok(id.pick(self.beginning(id, ids).await?)?)
    }

    pub(super) async fn identity(&self, action: IdentityAction) -> Result<(), Failure> {
        match action {
            IdentityAction::Export { file, passphrase_file, plain } => {
                self.export(&file, passphrase_file, plain).await
            }
            IdentityAction::TakeOver => {
                let identity = self.ask::<IdentityRef>(Request::IdentityTakeOver).await?;
                self.output.say_as(&identity, || format!("{} publishes from here again\n", identity.peer_id))
            }
            IdentityAction::Import { file, passphrase_file } => self.import(&file, passphrase_file).await,
        }
    }

    async fn export(
        &self,
        file: &Path,
        passphrase_file: Option<PathBuf>,
        plain: bool,
    ) -> Result<(), Failure> {
        let passphrase = match passphrase_file {
            Some(file) => Some(read_passphrase(&file)?),
            None if plain => None,
            None if self.may_prompt() => Some(new_passphrase()?),
            None => {
                let message = "give a passphrase with `--passphrase-file FILE`, or say `--plain` for a file that \
                               whoever reads it can publish as you with";
                return Err(ApiError::new(PASSPHRASE_NEEDED, message).into());
            }
        };
        let request = Request::IdentityExport { file: absolute(file)?, passphrase };
        let identity = self.ask::<IdentityRef>(request).await?;
        self.output.say_as(&identity, || format!("{} is in {}\n", identity.peer_id, file.display()))?;
        if !identity.encrypted {
            self.output.note("The file is not encrypted: whoever reads it can publish as you.");
        }
        Ok(())
    }

    async fn import(&self, file: &Path, passphrase_file: Option<PathBuf>) -> Result<(), Failure> {
        let file = absolute(file)?;
        let passphrase = passphrase_file.as_deref().map(read_passphrase).transpose()?;
        let request = |passphrase| Request::IdentityImport { file: file.clone(), passphrase };
        let answer = self.session.ask::<IdentityRef>(request(passphrase)).await;
        let identity = match answer {
            Err(error) if error.code == PASSPHRASE_NEEDED && self.may_prompt() => {
                let passphrase = rpassword::prompt_password("Passphrase: ")?;
                self.ask(request(Some(passphrase))).await?
            }
            answer => answer?,
        };
        self.output.say_as(&identity, || format!("You are {} from now on.\n", identity.peer_id))
    }

    pub(super) fn may_prompt(&self) -> bool {
        !self.output.json && io::stdin().is_terminal()
    }

    pub(super) fn remind_of_daemon(&self, why: &str) {
        if self.session.is_embedded() {
            self.output.note(&format!("{why} this node runs: `{} daemon`", self.caller));
        }
    }
}

pub(super) fn drawing(link: &str) -> Result<String, ApiError> {
    let code = QrCode::new(link).map_err(|error| {
        ApiError::new("invite_too_long", format!("the link does not fit a QR code: {error}"))
    })?;
    Ok(format!("{}\n", code.render::<Dense1x2>().build()))
}

/// Reads the first line of a file.
pub(super) fn read_passphrase(path: &Path) -> Result<String, ApiError> {
    let file = File::open(path).map_err(|error| at(path, error))?;
    let mut line = String::new();
    let read = BufReader::new(file.take(MAX_PASSPHRASE_LEN)).read_line(&mut line);
    read.map_err(|error| at(path, error))?;
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    if line.is_empty() {
        return Err(ApiError::new(
            "passphrase_empty",
            format!("{} begins with an empty line", path.display()),
        ));
    }
    Ok(line)
}

/// Asks for a passphrase twice.
fn new_passphrase() -> Result<String, Failure> {
    let first = rpassword::prompt_password("Passphrase: ")?;
    if first.is_empty() {
        let message = "no passphrase was typed; `--plain` writes the file without one";
        return Err(ApiError::new("passphrase_empty", message).into());
    }
    if rpassword::prompt_password("Again: ")? != first {
        return Err(ApiError::new("passphrase_mismatch", "the two passphrases differ").into());
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_the_first_line_without_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("passphrase");
        let check = |content: &[u8]| {
            std::fs::write(&file, content).unwrap();
            read_passphrase(&file).map_err(|error| error.code)
        };
        assert_eq!(check(b" two words \r\nother\n").as_deref(), Ok(" two words "));
        assert_eq!(check(b"no end").as_deref(), Ok("no end"));
        assert_eq!(check(b"\nsecond").unwrap_err(), "passphrase_empty");
        assert_eq!(check(b"\xff\xfe").unwrap_err(), "io");
    }

    #[test]
    fn links_are_drawn() {
        assert!(drawing("musicdao:abc").unwrap().lines().count() > 10);
        assert_eq!(drawing(&"x".repeat(5000)).unwrap_err().code, "invite_too_long");
    }
}
