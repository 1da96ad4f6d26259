use domain::kinds::Profile;
use proptest::prelude::*;

use super::*;
use crate::{Hit, HitKind};

#[tokio::test]
async fn search_finds_what_is_meant_however_it_is_typed() {
    let (_folder, store) = library().await;
    for (asked, kind, title) in [
        ("bjork", HitKind::Artist, "Björk"),
        ("BJÖR", HitKind::Artist, "Björk"),
        ("jog", HitKind::Track, "Jóga"),
        ("homogenic", HitKind::Release, "Homogenic"),
        ("bjork joga", HitKind::Track, "Jóga"),
        ("joga homogenic", HitKind::Track, "Jóga"),
        ("hommogenic", HitKind::Release, "Homogenic"),
        ("homogneic", HitKind::Release, "Homogenic"),
        ("homgen", HitKind::Release, "Homogenic"),
        ("bachelorete", HitKind::Track, "Bachelorette"),
        ("dont stop", HitKind::Track, "Don't Stop!"),
        ("don’t", HitKind::Track, "Don't Stop!"),
        ("فيروز", HitKind::Artist, "فَيْرُوز"),
        ("שלום", HitKind::Track, "שָׁלוֹם"),
        ("東", HitKind::Track, "東京🎷"),
        ("京 🎷", HitKind::Track, "東京🎷"),
        ("🎷", HitKind::Track, "東京🎷"),
        ("trip-h", HitKind::Tag, "trip-hop"),
        ("Trip Hop", HitKind::Tag, "trip-hop"),
    ] {
        let hits = store.search(asked, 10).await.unwrap();
        let first = hits.first().unwrap_or_else(|| panic!("{asked}: nothing"));
        assert_eq!((first.kind, first.title.as_str()), (kind, title), "{asked}: {hits:?}");
    }
    for nothing in ["", "   ", "\"", "nothing like it", "!?.,"] {
        assert!(store.search(nothing, 10).await.unwrap().is_empty(), "{nothing}");
    }
}

#[tokio::test]
async fn a_hit_leads_to_its_track() {
    let (_folder, store) = library().await;
    let hits = store.search("bachelorette", 10).await.unwrap();
    let release = sign(&person(1), 1, &album("Homogenic", "Björk", &["Jóga", "Bachelorette"])).slot;
    let expected = Hit {
        kind: HitKind::Track,
        release: Some(release),
        track: Some(2),
        title: "Bachelorette".into(),
        artist: "Björk".into(),
        artist_id: Some(person(1).id()),
        release_title: Some("Homogenic".into()),
        cover: Some(blob("cover of Homogenic").hash),
        accent: None,
        duration_ms: Some(215_000),
        score: hits[0].score,
        corrected: false,
    };
    assert_eq!(hits, [expected]);
    let corrected = store.search("bachelorrette", 10).await.unwrap();
    assert!(corrected[0].corrected && corrected[0].score < hits[0].score);
}

#[tokio::test]
async fn a_whole_title_comes_before_its_parts_and_the_title_before_the_album() {
    let (_folder, store) = store().await;
    let one = sign(&person(1), 1, &album("Love Songs", "Per", &["Opening", "Lovely Weather"]));
    let two = sign(&person(2), 1, &album("Other", "Mira", &["Love", "All You Need Is Love Tonight"]));
    put(&store, &[&one, &two]).await;
    let hits = store.search("love", 10).await.unwrap();
    assert_eq!(hits[0].title, "Love");
    assert_eq!(hits.last().unwrap().title, "Opening");
    assert_eq!(store.search("love", 2).await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_edited_title_is_found_by_its_new_words_only() {
    let (_folder, store) = store().await;
    put(&store, &[&sign(&person(1), 1, &Profile { name: "Silverfish".into(), ..Profile::default() })]).await;
    put(&store, &[&sign(&person(1), 2, &Profile { name: "Goldfinch".into(), ..Profile::default() })]).await;
    assert!(store.search("silverfish", 10).await.unwrap().is_empty());
    assert_eq!(store.search("goldfinch", 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_languages_of_the_index_are_only_words() {
    let (_folder, store) = library().await;
    for asked in [
        "\"",
        "'",
        "*",
        "joga*",
        "\"joga",
        "joga\" OR \"x",
        "NEAR(joga bjork, 2)",
        "joga NOT bjork",
        "words: joga",
        "-joga",
        "^joga",
        "{words} : joga",
        "AND",
        "OR OR",
        "(joga",
        "joga)",
        "joga + bjork",
        "%",
        "_",
        "\\",
        "\0",
        "' or 1=1 --",
        "; drop table search",
        "\u{202E}agoj",
        "a\u{0301}\u{0301}\u{0301}",
        "\u{FFFF}",
        "\u{10FFFF}",
    ] {
        store.search(asked, 10).await.unwrap_or_else(|error| panic!("{asked:?}: {error}"));
        store.tags(asked, 10).await.unwrap();
        store.files(asked, 10, 0).await.unwrap();
    }
    assert_eq!(store.search("-joga", 10).await.unwrap()[0].title, "Jóga");
    store.search(&"joga ".repeat(10_000), 10).await.unwrap();
}

#[test]
fn no_text_is_an_error() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_folder, store) = runtime.block_on(library());
    proptest!(ProptestConfig::with_cases(200), |(text in any::<String>())| {
        runtime.block_on(store.search(&text, 10)).unwrap();
    });
    proptest!(ProptestConfig::with_cases(200), |(text in "[a-z\"*()^:+ -]{1,30}")| {
        runtime.block_on(store.search(&text, 10)).unwrap();
    });
}

async fn library() -> (TempDir, Store) {
    let (folder, store) = store().await;
    let mut homogenic = album("Homogenic", "Björk", &["Jóga", "Bachelorette"]);
    homogenic.tags = None;
    let mut others = album("Others", "Various", &["Don't Stop!", "שָׁלוֹם", "東京🎷"]);
    others.tags = Some(vec!["trip-hop".into()]);
    let records = [
        sign(&person(1), 1, &homogenic),
        sign(&person(2), 1, &others),
        sign(&person(1), 1, &Profile { name: "Björk".into(), ..Profile::default() }),
        sign(&person(3), 1, &Profile { name: "فَيْرُوز".into(), ..Profile::default() }),
    ];
    put(&store, &records.iter().collect::<Vec<_>>()).await;
    (folder, store)
}
