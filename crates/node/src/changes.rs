//! Which requests change what the screens of this node show: every window hears of what was done in one of them.

use crate::api::{BlockCommand, HideCommand, LibraryCommand, PlaylistCommand, Request};

impl Request {
    /// Says whether this may change what is saved, listed, followed, hidden, blocked, kept or said of oneself here.
    pub(crate) fn changes_library(&self) -> bool {
        match self {
            Self::Library(command) => !matches!(
                command,
                LibraryCommand::List
                    | LibraryCommand::Saved { .. }
                    | LibraryCommand::Files { .. }
                    | LibraryCommand::History { .. }
            ),
            Self::Playlist(command) => !matches!(command, PlaylistCommand::List { .. }),
            Self::Hide(command) => !matches!(command, HideCommand::List),
            Self::Block(command) => !matches!(command, BlockCommand::List),
            Self::Seed { release, .. } => release.is_some(),
            Self::Follow { .. }
            | Self::Like { .. }
            | Self::Tag { .. }
            | Self::Report { .. }
            | Self::Download { .. }
            | Self::ProfileSet(_) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_changes_nothing() {
        let json = |text: &str| serde_json::from_str::<Request>(text).unwrap();
        for looking in [
            r#"{"method":"status"}"#,
            r#"{"method":"follows"}"#,
            r#"{"method":"library","params":{"command":"saved","offset":0,"limit":null}}"#,
            r#"{"method":"playlist","params":{"command":"list","playlist":null}}"#,
            r#"{"method":"block","params":{"command":"list"}}"#,
            r#"{"method":"hide","params":{"command":"list"}}"#,
            r#"{"method":"seed","params":{"release":null,"remove":false,"job":null}}"#,
        ] {
            assert!(!json(looking).changes_library(), "{looking}");
        }
        for doing in [
            r#"{"method":"library","params":{"command":"clear_history"}}"#,
            r#"{"method":"playlist","params":{"command":"create","title":"a"}}"#,
            r#"{"method":"block","params":{"command":"add","id":"a"}}"#,
            r#"{"method":"hide","params":{"command":"add","what":{"tag":"a"}}}"#,
        ] {
            assert!(json(doing).changes_library(), "{doing}");
        }
    }
}
