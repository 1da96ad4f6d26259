//! Offers: what an artist signs, and how each stands by the chain.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    Kind, PeerId,
    bitcoin::Amount,
    kinds::{self, OfferId, WHOLE},
};
use time::{Date, Duration, Month};
use treasury::{
    paying::{Ledger, Preview, Terms},
    wallet::Chain,
};

use super::{
    income,
    ledgers::{self, Account},
    notes, records,
};
use crate::{
    api::{ApiError, Example, Offer, Offers, Split},
    node::{Inner, random_bytes},
};

/// The cap where none is said, in hundredths of the principal.
const CAP: u32 = 150;
/// Incomes that a trial divides, in tenths of the goal.
const EXAMPLES: [u64; 6] = [1, 5, 10, 20, 50, 100];

/// What an artist wishes to offer.
pub(super) struct Wish {
    pub(super) goal: Amount,
    pub(super) share_bp: u16,
    pub(super) cap_percent: Option<u32>,
    pub(super) floor: Amount,
    pub(super) expiry: String,
    pub(super) title: Option<String>,
    pub(super) splits: Vec<Split>,
}

/// Publishes an offer, or says how it would divide income.
pub(super) async fn create(node: &Arc<Inner>, wish: Wish, dry_run: bool) -> Result<Offer, ApiError> {
    // Without a wallet nobody could be paid.
    node.money.purse.lock().await.wallet()?;
    let offer = signable(node, wish).await?;
    if dry_run {
        let mut shown = shown(node, None, node.identity.id(), &offer, None).await?;
        shown.example = examples(&offer);
        return Ok(shown);
    }
    income::ensure(node).await?;
    let id = records::publish(node, offer.clone()).await?;
    shown(node, Some(id), node.identity.id(), &offer, None).await
}

/// Lists offers, those that end first first.
pub(super) async fn list(node: &Arc<Inner>, artist: Option<PeerId>) -> Result<Offers, ApiError> {
    let mut by_artist: BTreeMap<PeerId, Vec<(OfferId, kinds::Offer)>> = BTreeMap::new();
    for (record, offer) in records::bodies::<kinds::Offer>(node).await? {
        if artist.is_none_or(|artist| artist == record.author) {
            by_artist.entry(record.author).or_default().push((record.slot, offer));
        }
    }
    let (mut offers, mut waiting) = (Vec::new(), None);
    for (artist, of_artist) in by_artist {
        let account = ledgers::account_unless(node, artist, &mut waiting).await?;
        for (id, offer) in of_artist {
            offers.push(shown(node, Some(id), artist, &offer, account.as_ref()).await?);
        }
    }
    offers.sort_by(|one, other| one.expiry_ms.cmp(&other.expiry_ms).then(one.offer_id.cmp(&other.offer_id)));
    Ok(Offers { offers, waiting: waiting.map(|error| error.message) })
}

/// Shows an offer with its notes.
pub(super) async fn show(node: &Arc<Inner>, id: OfferId) -> Result<Offer, ApiError> {
    let (artist, offer) = find(node, &id).await?;
    let (account, error) = ledgers::account_or_last(node, artist).await?;
    let mut shown = shown(node, Some(id), artist, &offer, account.as_ref()).await?;
    shown.waiting = error.map(|error| error.message);
    if let Some(account) = &account {
        for (note, state) in account.ledger.notes_of(&id) {
            shown.notes.push(notes::of_ledger(node, note, state, account).await?);
        }
    }
    Ok(shown)
}

/// Finds an offer and whose it is.
pub(super) async fn find(node: &Inner, id: &OfferId) -> Result<(PeerId, kinds::Offer), ApiError> {
    let found = records::body::<kinds::Offer>(node, id).await?;
    found.ok_or_else(|| {
        let message = format!("no offer {} is known here; is a peer connected that has it?", id.short());
        ApiError::new("offer_unknown", message)
    })
}

/// The offer as it is signed, if it can be.
async fn signable(node: &Arc<Inner>, wish: Wish) -> Result<kinds::Offer, ApiError> {
    let out_of_bounds = |cap| ApiError::new("record_body", format!("a cap of {cap} % is none"));
    let cap = wish.cap_percent.unwrap_or(CAP);
    let mut splits = Vec::new();
    for Split { peer, share_bp } in wish.splits {
        let book = records::book(node, peer).await?;
        let script = income::draw(node, &book, Chain::Income).await?;
        let name = records::name(node, peer).await?;
        splits.push(kinds::Split { name, share: share_bp, script, peer: Some(peer) });
    }
    let offer = kinds::Offer {
        network: node.money.network,
        salt: random_bytes()?,
        goal: wish.goal,
        share: wish.share_bp,
        cap: u16::try_from(cap).map_err(|_| out_of_bounds(cap))?,
        floor: wish.floor,
        expiry: expiry(&wish.expiry, super::pay::now())?,
        splits: (!splits.is_empty()).then_some(splits),
        title: wish.title.filter(|title| !title.trim().is_empty()),
        release: None,
    };
    offer.check()?;
    let given: u32 = offer.splits().iter().map(|split| u32::from(split.share)).sum();
    match given + u32::from(offer.share) <= u32::from(WHOLE) {
        true => Ok(offer),
        false => Err(ApiError::new(
            "shares_too_large",
            format!(
                "{} % are shared out, more than there is",
                f64::from(given + u32::from(offer.share)) / 100.0
            ),
        )),
    }
}

/// The first second after a day.
fn expiry(day: &str, now: u64) -> Result<u32, ApiError> {
    let malformed = || ApiError::new("date_malformed", format!("`{day:.40}` is no day such as 2027-12-31"));
    let end = parse_day(day).and_then(|day| day.checked_add(Duration::DAY)).ok_or_else(malformed)?;
    let end = u32::try_from(end.midnight().assume_utc().unix_timestamp()).map_err(|_| malformed())?;
    match u64::from(end) > now {
        true => Ok(end),
        false => Err(ApiError::new("offer_expired", format!("{day:.40} is over"))),
    }
}

fn parse_day(day: &str) -> Option<Date> {
    let parts: Vec<&str> = day.trim().split('-').collect();
    let [year, month, day] = parts[..] else { return None };
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()
}

async fn shown(
    node: &Inner,
    offer_id: Option<OfferId>,
    artist_id: PeerId,
    offer: &kinds::Offer,
    account: Option<&Account>,
) -> Result<Offer, ApiError> {
    let ledger = account.map(|account| &account.ledger);
    let state = offer_id.and_then(|id| ledger?.offers.get(&id));
    let raised = state.map_or(Amount::ZERO, |state| state.raised);
    let over = state.is_some_and(|state| state.is_expired) || u64::from(offer.expiry) <= super::pay::now();
    let (owed_sat, paid_sat) = offer_id.zip(ledger).map_or((0, 0), |(id, ledger)| sums(ledger, &id));
    let splits =
        offer.splits().iter().filter_map(|split| Some(Split { peer: split.peer?, share_bp: split.share }));
    let last_day = u64::from(offer.expiry).saturating_sub(1);
    Ok(Offer {
        offer_id,
        artist_id,
        artist: records::name(node, artist_id).await?,
        title: offer.title.clone(),
        network: offer.network,
        goal_sat: offer.goal.to_sat(),
        raised_sat: raised.to_sat(),
        share_bp: offer.share,
        cap_percent: offer.cap.into(),
        floor_sat: offer.floor.to_sat(),
        expiry_ms: u64::from(offer.expiry) * 1000,
        expiry: income::day(last_day),
        splits: splits.collect(),
        open: !over && raised < offer.goal,
        income_sat: ledger.map_or(0, |ledger| ledger.income.to_sat()),
        owed_sat,
        paid_sat,
        notes: Vec::new(),
        example: Vec::new(),
        waiting: None,
    })
}

/// Owed to an offer's investors, and paid to them.
fn sums(ledger: &Ledger, offer: &OfferId) -> (u64, u64) {
    let notes = ledger.notes_of(offer);
    let owed = notes.iter().map(|(_, note)| note.owed().to_sat()).sum();
    (owed, notes.iter().map(|(_, note)| note.paid.to_sat()).sum())
}

fn examples(offer: &kinds::Offer) -> Vec<Example> {
    let terms = Terms::from(offer);
    let example = |tenths: u64| {
        let income = Amount::from_sat((offer.goal.to_sat() / 10).saturating_mul(tenths));
        let Preview { splits, floor, investors, artist, .. } = Preview::of(&terms, income, Amount::ZERO);
        Example {
            income_sat: income.to_sat(),
            investors_sat: investors.to_sat(),
            collaborators_sat: splits.iter().map(|split| split.to_sat()).sum(),
            artist_sat: floor.to_sat() + artist.to_sat(),
        }
    };
    EXAMPLES.into_iter().map(example).collect::<Vec<_>>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_ends_with_its_last_day() {
        let now = 1_800_000_000;
        let end = expiry("2027-12-31", now).unwrap();
        assert_eq!(income::day(u64::from(end) - 1), "2027-12-31");
        assert_eq!(income::day(u64::from(end)), "2028-01-01");
        for wrong in ["", "2027", "2027-02-30", "2027-12-31-1", "9999-12-31", "soon"] {
            assert_eq!(expiry(wrong, now).unwrap_err().code, "date_malformed", "{wrong}");
        }
        assert_eq!(expiry("2026-01-01", now).unwrap_err().code, "offer_expired");
    }

    #[test]
    fn a_trial_divides_every_satoshi() {
        let offer = kinds::Offer {
            network: domain::Network::Regtest,
            salt: [0; 16],
            goal: Amount::from_sat(100_000),
            share: 2_000,
            cap: 150,
            floor: Amount::from_sat(10_000),
            expiry: u32::MAX,
            splits: None,
            title: None,
            release: None,
        };
        let examples = examples(&offer);
        let divided = |it: &Example| it.investors_sat + it.collaborators_sat + it.artist_sat;
        assert!(examples.iter().all(|it| divided(it) == it.income_sat));
        assert_eq!(examples[2].investors_sat, 18_000);
        assert_eq!(examples[5].investors_sat, 150_000, "the cap bounds what investors get");
    }
}
