//! Ids as people type them: whole, or enough of the first digits.

use std::{fmt, str::FromStr};

use node::api::ApiError;

/// Fewest digits that stand for a whole id.
const MIN_DIGITS: usize = 8;
/// Digits of a whole id.
const WHOLE_DIGITS: usize = 64;

/// How a link begins.
const LINK: &str = "musicdao:";

/// A whole id or its beginning: 8 to 64 hexadecimal digits, lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdText(String);

/// A release, or one of its tracks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrackText {
    pub(crate) release: IdText,
    /// From 1; the whole release where there is none.
    pub(crate) track: Option<u16>,
}

/// An artist by an id or the beginning of one, else by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ArtistText {
    Id(IdText),
    Name(String),
}

/// A DAO by an id or the beginning of one, by a link to it, else by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DaoText {
    Id(IdText),
    Link(String),
    Name(String),
}

/// A playlist by its number, else by its title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PlaylistText {
    Number(i64),
    Title(String),
}

impl IdText {
    /// Returns the id where all of it was typed.
    pub(crate) fn whole<T: FromStr>(&self) -> Option<T> {
        self.0.parse().ok()
    }

    /// Says whether all of the id was typed.
    pub(crate) fn is_whole(&self) -> bool {
        self.0.len() == WHOLE_DIGITS
    }

    /// Says whether an id begins so.
    pub(crate) fn begins(&self, id: &impl ToString) -> bool {
        id.to_string().starts_with(&self.0)
    }

    /// Picks the one id that begins so.
    ///
    /// # Errors
    /// `id_unknown` and `id_ambiguous`.
    pub(crate) fn pick<T: ToString + PartialEq>(
        &self,
        ids: impl IntoIterator<Item = T>,
    ) -> Result<T, ApiError> {
        let mut matches = ids.into_iter().filter(|id| self.begins(id));
        let Some(first) = matches.next() else {
            return Err(ApiError::new(
                "id_unknown",
                match self.is_whole() {
                    true => format!("nothing known here has the id {}", self.0),
                    false => {
                        format!("nothing known here has an id that begins with {}; give the whole id", self.0)
                    }
                },
            ));
        };
        if matches.any(|other| other != first) {
            return Err(ApiError::new(
                "id_ambiguous",
                format!("several ids begin with {}; give more digits", self.0),
            ));
        }
        Ok(first)
    }
}

impl fmt::Display for IdText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for IdText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = text.to_ascii_lowercase();
        let long_enough = (MIN_DIGITS..=WHOLE_DIGITS).contains(&id.len());
        if long_enough && id.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            Ok(Self(id))
        } else {
            Err(format!(
                "an id has {WHOLE_DIGITS} hexadecimal digits; the first {MIN_DIGITS} or more will do"
            ))
        }
    }
}

impl FromStr for ArtistText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) if text.trim().is_empty() => Err("an artist is named by an id or a name".to_owned()),
            Err(_) => Ok(Self::Name(text.trim().to_owned())),
        }
    }
}

impl FromStr for DaoText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) if text.trim().is_empty() => Err("a DAO is named by an id, a link or a name".to_owned()),
            Err(_) if text.starts_with(LINK) => Ok(Self::Link(text.to_owned())),
            Err(_) => Ok(Self::Name(text.trim().to_owned())),
        }
    }
}

impl FromStr for PlaylistText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(number) => Ok(Self::Number(number)),
            Err(_) if text.trim().is_empty() => {
                Err("a playlist is named by its number or its title".to_owned())
            }
            Err(_) => Ok(Self::Title(text.trim().to_owned())),
        }
    }
}

impl FromStr for TrackText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((release, track)) = text.split_once('/') else {
            return Ok(Self { release: text.parse()?, track: None });
        };
        let number = track.parse().ok().filter(|number| *number > 0);
        let number =
            number.ok_or_else(|| format!("`{track}` is not the number of a track; the first is 1"))?;
        Ok(Self { release: release.parse()?, track: Some(number) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> IdText {
        text.parse().unwrap()
    }

    #[test]
    fn ids_may_be_short_but_not_too_short() {
        assert_eq!(id("ABCDEF01"), id("abcdef01"));
        for wrong in ["abcdef0", "abcdefgh", "", &"a".repeat(65), "ａｂｃｄｅｆ０１"] {
            assert!(wrong.parse::<IdText>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn artists_daos_and_playlists_have_names_too() {
        assert_eq!("abcdef01".parse(), Ok(DaoText::Id(id("abcdef01"))));
        assert_eq!("Our fund".parse(), Ok(DaoText::Name("Our fund".into())));
        assert_eq!("musicdao:abc".parse(), Ok(DaoText::Link("musicdao:abc".into())));
        assert_eq!("abcdef01".parse(), Ok(ArtistText::Id(id("abcdef01"))));
        assert_eq!(" Ada L. ".parse(), Ok(ArtistText::Name("Ada L.".into())));
        assert_eq!("12".parse(), Ok(PlaylistText::Number(12)));
        assert_eq!("Sunday 12".parse(), Ok(PlaylistText::Title("Sunday 12".into())));
        assert!(" ".parse::<ArtistText>().is_err() && "".parse::<PlaylistText>().is_err());
        assert!(" ".parse::<DaoText>().is_err());
    }

    #[test]
    fn tracks_follow_a_slash() {
        let track = "abcdef01/12".parse::<TrackText>().unwrap();
        assert_eq!((track.release, track.track), (id("abcdef01"), Some(12)));
        assert_eq!("abcdef01".parse::<TrackText>().unwrap().track, None);
        for wrong in ["abcdef01/", "abcdef01/0", "abcdef01/-1", "abcdef01/70000", "abcdef01/1/2", "/1"] {
            assert!(wrong.parse::<TrackText>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_beginning_must_mean_one_id() {
        let ids = ["abcdef0123", "abcdef0124", "99999999aa"];
        assert_eq!(id("99999999").pick(ids), Ok("99999999aa"));
        assert_eq!(id("99999999").pick(["99999999aa", "99999999aa"]), Ok("99999999aa"));
        assert_eq!(id("abcdef01").pick(ids).unwrap_err().code, "id_ambiguous");
        assert_eq!(id("00000000").pick(ids).unwrap_err().code, "id_unknown");
    }
}
