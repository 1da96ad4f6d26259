//! The keyboard's media keys and the desktop's player controls, through MPRIS on the session bus.
//!
//! Where there is no bus, and on other systems than Linux, nothing happens.

use std::time::Duration;

use crate::{Playback, Player, Repeat};

/// What somebody asked for with a key or on the desktop.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Command {
    Play,
    Pause,
    Toggle,
    Stop,
    Next,
    Previous,
    /// Microseconds forward, or back where negative.
    SeekBy(i64),
    SeekTo(Duration),
    Volume(f32),
    Repeat(Repeat),
}

impl Command {
    /// Makes a player do it.
    pub fn apply<T: Clone + Send + 'static>(self, player: &Player<T>) {
        match self {
            Self::Play => player.play(),
            Self::Pause => player.pause(),
            Self::Toggle => player.toggle(),
            Self::Stop => player.stop(),
            Self::Next => player.next(),
            Self::Previous => player.previous(),
            Self::SeekBy(micros) => {
                let (by, position) = (Duration::from_micros(micros.unsigned_abs()), player.state().position);
                player.seek(if micros < 0 {
                    position.saturating_sub(by)
                } else {
                    position.saturating_add(by)
                });
            }
            Self::SeekTo(position) => player.seek(position),
            Self::Volume(volume) => player.set_volume(volume),
            Self::Repeat(repeat) => player.edit(|queue| queue.set_repeat(repeat)),
        }
    }
}

/// What the desktop shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NowPlaying {
    /// Names the queue's entry.
    pub entry: u64,
    /// Name of the track.
    pub title: String,
    /// Who plays it.
    pub artist: String,
    /// What it is part of.
    pub album: String,
    /// Where the cover is, as a URL.
    pub cover: Option<String>,
    /// How long it is.
    pub duration: Option<Duration>,
    /// Whether there is sound.
    pub playback: Playback,
    /// Where in the track the sound is now.
    pub position: Duration,
    /// From 0 to 1.
    pub volume: f32,
    /// What follows the last entry.
    pub repeat: Repeat,
}

#[cfg(target_os = "linux")]
pub use mpris::MediaKeys;

/// No media keys on this system.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub struct MediaKeys;

#[cfg(not(target_os = "linux"))]
impl MediaKeys {
    /// Does nothing.
    pub fn new(_name: &str, _obey: impl Fn(Command) + Send + Sync + 'static) -> Self {
        Self
    }

    /// Says that there are none.
    pub fn is_connected(&self) -> bool {
        false
    }

    /// Does nothing.
    pub fn show(&self, _now: &NowPlaying) {}
}

#[cfg(target_os = "linux")]
mod mpris {
    use std::{collections::HashMap, fmt, time::Instant};

    use zbus::{
        block_on,
        blocking::{Connection, connection::Builder, object_server::InterfaceRef},
        interface,
        object_server::SignalEmitter,
        zvariant::{ObjectPath, Value},
    };

    use super::{Command, Duration, NowPlaying, Playback, Repeat};

    const PATH: &str = "/org/mpris/MediaPlayer2";
    /// A position this far from where it would be by itself was sought.
    const JUMP: Duration = Duration::from_secs(1);

    /// The player on the session bus. Dropping it takes it off.
    pub struct MediaKeys(Option<(Connection, InterfaceRef<Controls>)>);

    impl MediaKeys {
        /// Announces a player by this name; `obey` is called on the bus's thread. Without a bus this is a warning.
        pub fn new(name: &str, obey: impl Fn(Command) + Send + Sync + 'static) -> Self {
            let connected = connect(name, Box::new(obey));
            Self(connected.inspect_err(|error| tracing::warn!(%error, "no media keys")).ok())
        }

        /// Says whether the desktop sees the player.
        pub fn is_connected(&self) -> bool {
            self.0.is_some()
        }

        /// Shows what plays. Call it when a track, the state, the position, the volume or repeat changed by more
        /// than the passing of time.
        pub fn show(&self, now: &NowPlaying) {
            let Some((_, controls)) = &self.0 else { return };
            if let Err(error) = update(controls, now) {
                tracing::debug!(%error, "the session bus does not answer");
            }
        }
    }

    impl fmt::Debug for MediaKeys {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_tuple("MediaKeys").field(&self.is_connected()).finish()
        }
    }

    fn connect(
        name: &str,
        obey: Box<dyn Fn(Command) + Send + Sync>,
    ) -> zbus::Result<(Connection, InterfaceRef<Controls>)> {
        let word: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        // The specification's form for programs of which several may run.
        let bus_name = format!("org.mpris.MediaPlayer2.{word}.instance{}", std::process::id());
        let controls =
            Controls { obey, now: NowPlaying { volume: 1.0, ..NowPlaying::default() }, at: Instant::now() };
        let connection = Builder::session()?
            .serve_at(PATH, Root { name: name.to_owned() })?
            .serve_at(PATH, controls)?
            .name(bus_name)?
            .build()?;
        let controls = connection.object_server().interface(PATH)?;
        Ok((connection, controls))
    }

    /// Tells the bus only what changed.
    fn update(reference: &InterfaceRef<Controls>, now: &NowPlaying) -> zbus::Result<()> {
        let emitter = reference.signal_emitter();
        let old = {
            let mut controls = reference.get_mut();
            let expected = controls.position_now();
            controls.at = Instant::now();
            NowPlaying { position: expected, ..std::mem::replace(&mut controls.now, now.clone()) }
        };
        let controls = reference.get();
        block_on(async {
            if status(old.playback) != status(now.playback) {
                controls.playback_status_changed(emitter).await?;
            }
            if metadata(&old) != metadata(now) {
                controls.metadata_changed(emitter).await?;
            }
            if old.volume != now.volume {
                controls.volume_changed(emitter).await?;
            }
            if old.repeat != now.repeat {
                controls.loop_status_changed(emitter).await?;
            }
            if old.entry == now.entry && old.position.abs_diff(now.position) > JUMP {
                Controls::seeked(emitter, micros(now.position)).await?;
            }
            Ok(())
        })
    }

    struct Root {
        name: String,
    }

    #[interface(name = "org.mpris.MediaPlayer2")]
    impl Root {
        fn raise(&self) {}

        fn quit(&self) {}

        #[zbus(property)]
        fn can_quit(&self) -> bool {
            false
        }

        #[zbus(property)]
        fn can_raise(&self) -> bool {
            false
        }

        #[zbus(property)]
        fn has_track_list(&self) -> bool {
            false
        }

        #[zbus(property)]
        fn identity(&self) -> &str {
            &self.name
        }

        #[zbus(property)]
        fn supported_uri_schemes(&self) -> Vec<String> {
            Vec::new()
        }

        #[zbus(property)]
        fn supported_mime_types(&self) -> Vec<String> {
            Vec::new()
        }
    }

    struct Controls {
        obey: Box<dyn Fn(Command) + Send + Sync>,
        now: NowPlaying,
        /// When `now` was shown.
        at: Instant,
    }

    impl Controls {
        fn position_now(&self) -> Duration {
            let passed =
                if self.now.playback == Playback::Playing { self.at.elapsed() } else { Duration::ZERO };
            let position = self.now.position.saturating_add(passed);
            self.now.duration.map_or(position, |duration| position.min(duration))
        }
    }

    #[interface(name = "org.mpris.MediaPlayer2.Player")]
    impl Controls {
        fn next(&self) {
            (self.obey)(Command::Next);
        }

        fn previous(&self) {
            (self.obey)(Command::Previous);
        }

        fn pause(&self) {
            (self.obey)(Command::Pause);
        }

        fn play_pause(&self) {
            (self.obey)(Command::Toggle);
        }

        fn stop(&self) {
            (self.obey)(Command::Stop);
        }

        fn play(&self) {
            (self.obey)(Command::Play);
        }

        fn seek(&self, offset: i64) {
            (self.obey)(Command::SeekBy(offset));
        }

        /// Ignores a place of a track that is over by now, and one beyond its end.
        fn set_position(&self, track_id: ObjectPath<'_>, position: i64) {
            let Ok(position) = u64::try_from(position).map(Duration::from_micros) else { return };
            let within = self.now.duration.is_none_or(|duration| position <= duration);
            if within && track_id.as_str() == track_path(self.now.entry) {
                (self.obey)(Command::SeekTo(position));
            }
        }

        fn open_uri(&self, _uri: &str) {}

        #[zbus(signal)]
        async fn seeked(emitter: &SignalEmitter<'_>, position: i64) -> zbus::Result<()>;

        #[zbus(property)]
        fn playback_status(&self) -> &'static str {
            status(self.now.playback)
        }

        #[zbus(property)]
        fn loop_status(&self) -> &'static str {
            match self.now.repeat {
                Repeat::Off => "None",
                Repeat::One => "Track",
                Repeat::All => "Playlist",
            }
        }

        #[zbus(property)]
        fn set_loop_status(&self, wanted: &str) {
            let repeat = match wanted {
                "None" => Repeat::Off,
                "Track" => Repeat::One,
                "Playlist" => Repeat::All,
                _ => return,
            };
            (self.obey)(Command::Repeat(repeat));
        }

        #[zbus(property)]
        fn rate(&self) -> f64 {
            1.0
        }

        #[zbus(property)]
        fn minimum_rate(&self) -> f64 {
            1.0
        }

        #[zbus(property)]
        fn maximum_rate(&self) -> f64 {
            1.0
        }

        #[zbus(property)]
        fn metadata(&self) -> HashMap<&'static str, Value<'static>> {
            metadata(&self.now)
        }

        #[zbus(property)]
        fn volume(&self) -> f64 {
            f64::from(self.now.volume)
        }

        #[zbus(property)]
        fn set_volume(&self, volume: f64) {
            (self.obey)(Command::Volume(volume.clamp(0.0, 1.0) as f32));
        }

        #[zbus(property(emits_changed_signal = "false"))]
        fn position(&self) -> i64 {
            micros(self.position_now())
        }

        #[zbus(property)]
        fn can_go_next(&self) -> bool {
            true
        }

        #[zbus(property)]
        fn can_go_previous(&self) -> bool {
            true
        }

        #[zbus(property)]
        fn can_play(&self) -> bool {
            true
        }

        #[zbus(property)]
        fn can_pause(&self) -> bool {
            true
        }

        #[zbus(property)]
        fn can_seek(&self) -> bool {
            true
        }

        #[zbus(property(emits_changed_signal = "const"))]
        fn can_control(&self) -> bool {
            true
        }
    }

    fn status(playback: Playback) -> &'static str {
        match playback {
            Playback::Playing | Playback::Buffering => "Playing",
            Playback::Paused => "Paused",
            Playback::Stopped => "Stopped",
        }
    }

    fn metadata(now: &NowPlaying) -> HashMap<&'static str, Value<'static>> {
        let mut data = HashMap::new();
        if now.playback == Playback::Stopped {
            return data;
        }
        if let Ok(path) = ObjectPath::try_from(track_path(now.entry)) {
            data.insert("mpris:trackid", Value::from(path));
        }
        data.insert("xesam:title", Value::from(now.title.clone()));
        data.insert("xesam:artist", Value::from(vec![now.artist.clone()]));
        data.insert("xesam:album", Value::from(now.album.clone()));
        if let Some(duration) = now.duration {
            data.insert("mpris:length", Value::from(micros(duration)));
        }
        if let Some(cover) = &now.cover {
            data.insert("mpris:artUrl", Value::from(cover.clone()));
        }
        data
    }

    fn track_path(entry: u64) -> String {
        format!("/org/musicdao/entry/{entry}")
    }

    fn micros(time: Duration) -> i64 {
        i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
    }
}
