//! Full-text search that answers while the user types.
//!
//! Every pass looks at a bounded number of candidates, whatever is asked for: titles that begin as the query does come
//! from a B-tree, documents with all of its words from the full-text index, the newest first, and where both give
//! little, words one slip away are tried. The candidates are then ranked by BM25F (Robertson and Zaragoza, The
//! Probabilistic Relevance Framework, 2009, 3.6) over title, artist and release.

use std::collections::BTreeMap;

use domain::{BlobHash, PeerId, ReleaseId};
use sqlx::{query, query_as};

use crate::{
    Store, StoreError,
    derive::TRACKS_PER_RELEASE,
    index::DocKind,
    row,
    words::{MIN_SLIP_CHARS, distance, slips, words},
};

/// Most characters of a query that are read.
const MAX_QUERY_CHARS: usize = 200;
/// Most words of a query that are looked for.
const MAX_QUERY_WORDS: usize = 8;
/// Titles that begin as the query does.
const BEGINNINGS: i64 = 60;
/// Candidates that the full-text index gives of one kind.
const CANDIDATES: i64 = 200;
/// Words that may be meant by a mistyped one.
const MEANT: usize = 4;
/// Words looked at for one that is mistyped.
const SLIP_CANDIDATES: i64 = 400;
/// A word in fewer documents may be a slip of a common one.
const DOUBTFUL_DOCS: f64 = 50.0;
/// Tags in a result.
const MAX_TAGS: u32 = 5;
/// What a correction costs: a mistyped word counts only as much.
const CORRECTED: f64 = 0.4;
/// Weights of title, artist and release (BM25F).
const WEIGHTS: [f64; 3] = [3.0, 2.0, 0.7];
/// Saturation and length (BM25F).
const K1: f64 = 1.2;
const B: f64 = 0.5;
/// A usual number of words in a field.
const USUAL_WORDS: f64 = 3.0;

/// Something found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// What it is.
    pub kind: HitKind,
    /// The release, or that of the track.
    pub release: Option<ReleaseId>,
    /// The track's number.
    pub track: Option<u16>,
    /// The title, the artist's name, or the tag.
    pub title: String,
    /// Who made it; empty for a tag.
    pub artist: String,
    /// Who published it.
    pub artist_id: Option<PeerId>,
    /// The title of the track's release.
    pub release_title: Option<String>,
    /// The release's cover, or the artist's image.
    pub cover: Option<BlobHash>,
    /// The cover's colour as `0xRRGGBB`.
    pub accent: Option<u32>,
    /// The track's length.
    pub duration_ms: Option<u32>,
    /// How well it suits: comparable within one search.
    pub score: f64,
    /// Whether a word was taken for mistyped.
    pub corrected: bool,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HitKind {
    /// An artist.
    Artist,
    /// A release.
    Release,
    /// A track.
    Track,
    /// A tag.
    Tag,
}

impl HitKind {
    /// Returns the lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Artist => "artist",
            Self::Release => "release",
            Self::Track => "track",
            Self::Tag => "tag",
        }
    }
}

impl Store {
    /// Finds artists, releases, tracks and tags. Any text will do: case, accents and signs do not matter, the last
    /// word may be unfinished, and where little is found slips of one letter are forgiven.
    ///
    /// # Errors
    /// Those of the database, never one because of the text.
    pub async fn search(&self, text: &str, limit: u32) -> Result<Vec<Hit>, StoreError> {
        let text: String = text.chars().take(MAX_QUERY_CHARS).collect();
        let mut asked = words(&text);
        asked.truncate(MAX_QUERY_WORDS);
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let limit = limit.min(crate::MAX_LIMIT) as usize;
        let mut terms = self.terms(asked).await?;
        let mut found = Candidates::default();
        found.add(self.beginnings(&terms).await?, false);
        found.add(self.documents(&terms).await?, false);
        if found.0.len() < limit && self.correct(&mut terms).await? {
            found.add(self.documents(&terms).await?, true);
        }
        let mut hits = self.shown(&found.best(&terms, limit)).await?;
        hits.extend(self.tag_hits(&text).await?);
        self.without_hidden(&mut hits).await?;
        hits.sort_by(|one, two| two.score.total_cmp(&one.score).then(one.kind.cmp(&two.kind)));
        hits.truncate(limit);
        Ok(hits)
    }

    /// Weighs the query's words by how rare they are.
    async fn terms(&self, asked: Vec<String>) -> Result<Vec<Term>, StoreError> {
        let json = serde_json::json!(asked).to_string();
        let known =
            query!("select word, docs from words where word in (select value from json_each(?))", json)
                .fetch_all(&self.read)
                .await?;
        let docs: BTreeMap<String, i64> = known.into_iter().map(|row| (row.word, row.docs)).collect();
        let rows = query!(r#"select coalesce(max(id), 0) as "rows!: i64" from records"#)
            .fetch_one(&self.read)
            .await?;
        let last = asked.len() - 1;
        let term = |(at, word): (usize, String)| {
            let docs = docs.get(&word).copied().unwrap_or(0) as f64;
            let all = (rows.rows as f64).max(docs);
            let idf = (1.0 + (all - docs + 0.5) / (docs + 0.5)).ln();
            Term { docs, unfinished: at == last, idf, meant: Vec::new(), word }
        };
        Ok(asked.into_iter().enumerate().map(term).collect())
    }

    /// Titles and names that begin as the query does; the shortest such ones come first.
    async fn beginnings(&self, terms: &[Term]) -> Result<Vec<Candidate>, StoreError> {
        let from = terms.iter().map(|term| term.word.as_str()).collect::<Vec<_>>().join(" ");
        let to = format!("{from}{}", char::MAX);
        let rows = query_as!(
            Candidate,
            r#"select 1 as "kind!: i64", id as "id!: i64", name_key as "title!: String", '' as "artist!: String",
               '' as "release!: String"
               from (select * from profiles where name_key >= ?1 and name_key < ?2 order by name_key limit ?3)
               union all
               select 2, id, title_key, artist_key, ''
               from (select * from releases where title_key >= ?1 and title_key < ?2 order by title_key limit ?3)
               union all
               select 3, tracks.id, tracks.title_key, coalesce(tracks.artist_key, releases.artist_key), releases.title_key
               from (select * from tracks where title_key >= ?1 and title_key < ?2 order by title_key limit ?3) as tracks
               join releases on releases.id = tracks.id >> 8"#,
            from,
            to,
            BEGINNINGS
        );
        Ok(rows.fetch_all(&self.read).await?)
    }

    /// Documents that hold every term, as it is or as it may be meant.
    async fn documents(&self, terms: &[Term]) -> Result<Vec<Candidate>, StoreError> {
        let wanted: Vec<String> = terms.iter().map(Term::expression).collect();
        let wanted = wanted.join(" AND ");
        let range = |kind: DocKind| (kind.doc(0), kind.doc(DocKind::MAX_ID));
        let (artists, releases, tracks) =
            (range(DocKind::Artist), range(DocKind::Release), range(DocKind::Track));
        let rows = query_as!(
            Candidate,
            r#"select 1 as "kind!: i64", id as "id!: i64", name_key as "title!: String", '' as "artist!: String",
               '' as "release!: String"
               from (select rowid from search where search match ?1 and rowid between ?3 and ?4
                     order by rowid desc limit ?2) as found
               join profiles on profiles.id = found.rowid - ?3
               union all
               select 2, id, title_key, artist_key, ''
               from (select rowid from search where search match ?1 and rowid between ?5 and ?6
                     order by rowid desc limit ?2) as found
               join releases on releases.id = found.rowid - ?5
               union all
               select 3, tracks.id, tracks.title_key, coalesce(tracks.artist_key, releases.artist_key), releases.title_key
               from (select rowid from search where search match ?1 and rowid between ?7 and ?8
                     order by rowid desc limit ?2) as found
               join tracks on tracks.id = found.rowid - ?7
               join releases on releases.id = tracks.id >> 8"#,
            wanted,
            CANDIDATES,
            artists.0,
            artists.1,
            releases.0,
            releases.1,
            tracks.0,
            tracks.1
        );
        Ok(rows.fetch_all(&self.read).await?)
    }

    /// Reads what is shown of the best candidates.
    async fn shown(&self, best: &[Ranked]) -> Result<Vec<Hit>, StoreError> {
        let ids: Vec<(i64, i64)> = best.iter().map(|ranked| (ranked.kind, ranked.id)).collect();
        let ids = serde_json::json!(ids).to_string();
        let rows = query_as!(
            Shown,
            r#"with wanted as materialized (
                   select key + 0 as place, json_extract(value, '$[0]') as kind, json_extract(value, '$[1]') as id
                   from json_each(?)
               )
               select place as "place!: i64", name as "title!: String", name as "artist!: String",
               null as "slot?: Vec<u8>", author as "author!: Vec<u8>", null as "release?: String",
               (select blob from blob_refs where record = profiles.id and role = 5
                and blob not in (select id from blocked where what = 2)) as "cover?: Vec<u8>",
               null as "accent?: i64", null as "duration_ms?: i64"
               from wanted join profiles using (id) where kind = 1
               union all
               select place, title, artist, slot, author, null, cover, accent, null
               from wanted join releases using (id) where kind = 2
               union all
               select place, tracks.title, coalesce(tracks.artist, releases.artist), slot, author, releases.title, cover,
               accent, duration_ms
               from wanted join tracks using (id) join releases on releases.id = tracks.id >> 8 where kind = 3"#,
            ids
        )
        .fetch_all(&self.read)
        .await?;
        let ranked = |row: &Shown| best.get(usize::try_from(row.place).ok()?);
        rows.into_iter().filter_map(|row| Some(ranked(&row)?.hit(row))).collect()
    }

    /// Finds what mistyped words may mean; `false` where nothing comes of it.
    async fn correct(&self, terms: &mut [Term]) -> Result<bool, StoreError> {
        let mut any = false;
        let unknown = terms.iter().any(|term| term.docs == 0.0);
        for term in terms {
            // A word that many documents hold is hardly a slip; a rare one may be where every word is known.
            let doubtful = term.docs == 0.0 || (!unknown && term.docs < DOUBTFUL_DOCS);
            let hashes = slips(&term.word);
            if !doubtful || hashes.is_empty() {
                continue;
            }
            let hashes = serde_json::json!(hashes).to_string();
            let near = query!(
                r#"select word as "word!", docs as "docs!" from words where id in
                   (select word from slips where hash in (select value from json_each(?)) limit ?)
                   order by docs desc"#,
                hashes,
                SLIP_CANDIDATES
            )
            .fetch_all(&self.read)
            .await?;
            term.meant = near
                .into_iter()
                .filter(|row| term.may_mean(&row.word))
                .map(|row| row.word)
                .take(MEANT)
                .collect();
            any |= !term.meant.is_empty();
        }
        Ok(any)
    }

    async fn tag_hits(&self, text: &str) -> Result<Vec<Hit>, StoreError> {
        let tags = self.tags(text, MAX_TAGS).await?;
        let asked = domain::normalize_tag(text).unwrap_or_default();
        let hit = |(tag, uses): (String, u32)| Hit {
            kind: HitKind::Tag,
            release: None,
            track: None,
            // A whole tag stands with the best titles, an unfinished one among the rest; the most used first.
            score: if tag == asked { 12.0 } else { 3.0 } + f64::from(uses).ln_1p() / 10.0,
            title: tag,
            artist: String::new(),
            artist_id: None,
            release_title: None,
            cover: None,
            accent: None,
            duration_ms: None,
            corrected: false,
        };
        Ok(tags.into_iter().map(hit).collect())
    }
}

/// A word of a query.
struct Term {
    word: String,
    /// How many documents hold it.
    docs: f64,
    /// Whether more letters may follow.
    unfinished: bool,
    idf: f64,
    /// What may be meant where it is mistyped.
    meant: Vec<String>,
}

impl Term {
    /// The term in FTS5's query language (https://www.sqlite.org/fts5.html, 3). Words hold letters and digits only;
    /// the quotes keep them from being operators.
    fn expression(&self) -> String {
        let star = if self.unfinished { "*" } else { "" };
        let meant = self.meant.iter().map(|word| format!(" OR \"{word}\""));
        format!("(\"{}\"{star}{})", self.word, meant.collect::<String>())
    }

    /// Says whether the word is one slip away, or begins with what is.
    fn may_mean(&self, word: &str) -> bool {
        if word == self.word || self.word.chars().count() < MIN_SLIP_CHARS {
            return false;
        }
        let length = self.word.chars().count();
        let beginning = |chars: usize| word.chars().take(chars).collect::<String>();
        distance(&self.word, word) <= 1
            || (self.unfinished
                && (length..=length + 1).any(|chars| distance(&self.word, &beginning(chars)) <= 1))
    }

    /// How much of a match a word is: 1 the word itself, less its beginning or a correction, 0 none.
    fn weight(&self, word: &str) -> f64 {
        if word == self.word {
            1.0
        } else if self.unfinished && word.starts_with(&self.word) {
            0.8
        } else if self.meant.iter().any(|meant| meant == word) {
            CORRECTED
        } else {
            0.0
        }
    }
}

/// A row that may be a hit, with its texts as they were folded for the index.
struct Candidate {
    kind: i64,
    id: i64,
    title: String,
    artist: String,
    release: String,
}

/// A candidate's place among the hits.
#[derive(Clone, Copy)]
struct Ranked {
    kind: i64,
    id: i64,
    score: f64,
    corrected: bool,
}

/// What is shown of a candidate.
struct Shown {
    place: i64,
    title: String,
    artist: String,
    slot: Option<Vec<u8>>,
    author: Vec<u8>,
    release: Option<String>,
    cover: Option<Vec<u8>>,
    accent: Option<i64>,
    duration_ms: Option<i64>,
}

#[derive(Default)]
struct Candidates(BTreeMap<(i64, i64), (Candidate, bool)>);

impl Candidates {
    fn add(&mut self, rows: Vec<Candidate>, corrected: bool) {
        for row in rows {
            self.0.entry((row.kind, row.id)).or_insert((row, corrected));
        }
    }

    fn best(&self, terms: &[Term], limit: usize) -> Vec<Ranked> {
        let ranked = |(row, corrected): &(Candidate, bool)| Ranked {
            kind: row.kind,
            id: row.id,
            score: row.score(terms),
            corrected: *corrected,
        };
        let mut best: Vec<Ranked> = self.0.values().map(ranked).collect();
        best.sort_by(|one, two| two.score.total_cmp(&one.score));
        best.truncate(limit);
        best
    }
}

impl Ranked {
    fn hit(&self, row: Shown) -> Result<Hit, StoreError> {
        let (kind, track) = match self.kind {
            1 => (HitKind::Artist, None),
            2 => (HitKind::Release, None),
            _ => (HitKind::Track, row::track_of(self.id % TRACKS_PER_RELEASE)),
        };
        Ok(Hit {
            kind,
            release: row.slot.map(|slot| row::id(&slot)).transpose()?,
            track,
            title: row.title,
            artist: row.artist,
            artist_id: Some(row::id(&row.author)?),
            release_title: row.release,
            cover: row.cover.map(|cover| row::id(&cover)).transpose()?,
            accent: row.accent.map(row::u32_of),
            duration_ms: row.duration_ms.map(row::u32_of),
            score: self.score,
            corrected: self.corrected,
        })
    }
}

impl Candidate {
    fn score(&self, terms: &[Term]) -> f64 {
        let fields =
            [&self.title, &self.artist, &self.release].map(|field| field.split(' ').collect::<Vec<_>>());
        let score: f64 = terms.iter().map(|term| bm25f(term, &fields)).sum();
        let kind = match self.kind {
            1 => 1.4,
            2 => 1.2,
            _ => 1.0,
        };
        let same = fields[0].len() == terms.len()
            && fields[0].iter().zip(terms).all(|(word, term)| *word == term.word);
        score * kind * if same { 2.0 } else { 1.0 }
    }
}

fn bm25f(term: &Term, fields: &[Vec<&str>; 3]) -> f64 {
    let weigh = |(words, weight): (&Vec<&str>, f64)| {
        let frequency: f64 = words.iter().map(|word| term.weight(word)).sum();
        weight * frequency / (1.0 - B + B * words.len() as f64 / USUAL_WORDS)
    };
    let frequency: f64 = fields.iter().zip(WEIGHTS).map(weigh).sum();
    term.idf * frequency / (K1 + frequency)
}
