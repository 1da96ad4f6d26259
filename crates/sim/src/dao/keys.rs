//! What keys cost apart from the network: making them, signing, putting signatures together.

use std::{collections::BTreeMap, time::Duration};

use domain::bitcoin::{
    Transaction, TxOut, Witness, XOnlyPublicKey,
    hashes::{Hash, HashEngine, sha256},
    secp256k1::Keypair,
};
use treasury::dao::guard::{
    Attempt, Construction, Group, Guard, KeyShare, Nonces, Path, Session, Signer, dkg::Round1,
};
use zeroize::Zeroizing;

use super::{Meter, consensus, people::Usage, people::Wallets};

/// What one member's work took, and what it made.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Work {
    pub keygen: Duration,
    pub keygen_total: Duration,
    pub sign: Duration,
    pub sign_total: Duration,
    pub aggregate: Duration,
    pub messages: u64,
    pub signers: usize,
    pub vbytes: usize,
}

/// What stands for the system's generator: the same in every run, and never the same for two members or for two starts.
pub(super) fn entropy(seed: u64, member: u32, start: u64) -> [u8; 32] {
    let mut engine = sha256::Hash::engine();
    engine.input(b"entropy");
    engine.input(&seed.to_le_bytes());
    engine.input(&member.to_le_bytes());
    engine.input(&start.to_le_bytes());
    sha256::Hash::from_engine(engine).to_byte_array()
}

/// The holders of a guard's keys.
struct Cast<'a> {
    guard: Guard,
    pairs: Vec<Keypair>,
    shares: Vec<KeyShare>,
    meter: &'a dyn Meter,
    work: Work,
}

/// Has the first members' keys guard a coin in a construction and sign a transaction like one that went out.
pub(super) fn measure(
    construction: Construction,
    (keys, threshold): (usize, usize),
    like: &Transaction,
    spent: &[TxOut],
    wallets: &Wallets,
    meter: &dyn Meter,
) -> Result<Work, String> {
    let number = |at: usize| u32::try_from(at).expect("a thousand keys at most");
    let mut pairs: Vec<_> = (0..keys).map(|at| wallets.key(number(at), Usage::Member)).collect();
    pairs.sort_by_key(key);
    let mut cast = Cast::make(construction, pairs, threshold, meter).map_err(|error| error.to_string())?;
    let (mut transaction, mut spent) = (like.clone(), spent.to_vec());
    let (Some(coin), Some(first)) = (spent.first_mut(), transaction.input.first().cloned()) else {
        return Err("nothing was paid".into());
    };
    let old = std::mem::replace(&mut coin.script_pubkey, cast.guard.script_pubkey());
    for output in transaction.output.iter_mut().filter(|output| output.script_pubkey == old) {
        output.script_pubkey = cast.guard.script_pubkey();
    }
    transaction.input = vec![first];
    spent.truncate(1);
    let path = *cast.guard.paths().first().expect("every guard has a path");
    let witness = match path {
        Path::Key => cast.by_key(&transaction, &spent),
        Path::Script => cast.by_script(&transaction, &spent),
    };
    transaction.input[0].witness = witness.map_err(|error| error.to_string())?;
    consensus::check(&transaction, &spent)?;
    cast.work.vbytes = transaction.vsize();
    Ok(cast.work)
}

type Done<T> = Result<T, treasury::dao::guard::GuardError>;

impl<'a> Cast<'a> {
    fn make(
        construction: Construction,
        pairs: Vec<Keypair>,
        threshold: usize,
        meter: &'a dyn Meter,
    ) -> Done<Self> {
        let names: Vec<_> = pairs.iter().map(key).collect();
        let (mut work, begun) = (Work::default(), meter.time());
        let each = |total: Duration| total / u32::try_from(pairs.len().max(1)).unwrap_or(u32::MAX);
        let (guard, shares) = match construction {
            Construction::Frost => {
                let (group, shares) = generate(&names, threshold)?;
                // Everybody's work was done here one after another.
                work.keygen_total = meter.time().saturating_sub(begun);
                work.keygen = each(work.keygen_total);
                (Guard::frost(names, threshold, &group)?, shares)
            }
            _ => {
                let guard = Guard::new(construction, names, threshold)?;
                work.keygen = meter.time().saturating_sub(begun);
                work.keygen_total = work.keygen * u32::try_from(pairs.len()).unwrap_or(u32::MAX);
                (guard, Vec::new())
            }
        };
        Ok(Self { guard, pairs, shares, meter, work })
    }

    fn timed<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> (T, Duration) {
        let begun = self.meter.time();
        let done = work(self);
        (done, self.meter.time().saturating_sub(begun))
    }

    fn by_script(&mut self, transaction: &Transaction, spent: &[TxOut]) -> Done<Witness> {
        let mut gathering = self.guard.gather(transaction, 0, spent)?;
        let (mut shares, signers) = (Vec::new(), self.guard.threshold());
        for at in 0..signers {
            let (share, took) =
                self.timed(|cast| cast.guard.sign(gathering.message(), &cast.pairs[at], &[0; 32]));
            shares.push((key(&self.pairs[at]), share?));
            self.signed(took, signers);
        }
        let (done, took) = self
            .timed(|_| shares.into_iter().try_for_each(|(key, share)| gathering.add(key, share).map(drop)));
        done?;
        let (witness, finish) = self.timed(|_| gathering.finish());
        self.work.aggregate = took + finish;
        self.sent(1);
        witness.ok_or(treasury::dao::guard::GuardError::Malformed("set of shares"))
    }

    fn by_key(&mut self, transaction: &Transaction, spent: &[TxOut]) -> Done<Witness> {
        let attempt = Attempt { txid: transaction.compute_txid(), input: 0, number: 0 };
        let message = self.guard.message(transaction, 0, spent, Path::Key)?;
        let (mut all, mut commitments, signers) = (Vec::new(), BTreeMap::new(), self.guard.cosigners());
        for at in 0..signers {
            let entropy = Zeroizing::new([u8::try_from(at % 256).unwrap_or_default(); 32]);
            let (made, took) = self.timed(|cast| {
                let mut nonces = Nonces::default();
                let signer = cast.signer(at);
                let commitment = nonces.commit(attempt, &cast.guard, &message, signer, &entropy)?;
                Ok((nonces, commitment))
            });
            let (nonces, commitment) = made?;
            commitments.insert(key(&self.pairs[at]), commitment);
            all.push(nonces);
            self.signed(took, signers);
        }
        let (session, opening) = self.timed(|cast| Session::new(&cast.guard, message, commitments));
        let (mut session, mut partials) = (session?, Vec::new());
        for (at, mut nonces) in all.into_iter().enumerate() {
            let (partial, took) = self.timed(|cast| nonces.sign(attempt, &session, cast.signer(at)));
            partials.push((key(&self.pairs[at]), partial?));
            self.signed(took + opening, signers);
        }
        let (done, took) = self.timed(|_| {
            partials.into_iter().try_for_each(|(key, partial)| session.add(key, partial).map(drop))
        });
        done?;
        let (witness, finish) = self.timed(|_| session.finish());
        self.work.aggregate = took + finish;
        self.sent(2);
        witness.ok_or(treasury::dao::guard::GuardError::Malformed("set of parts"))
    }

    fn signed(&mut self, took: Duration, signers: usize) {
        self.work.sign_total += took;
        self.work.sign = self.work.sign_total / u32::try_from(signers.max(1)).unwrap_or(u32::MAX);
    }

    /// Every signer tells every other holder, in so many rounds.
    fn sent(&mut self, rounds: u64) {
        self.work.signers = self.guard.cosigners();
        self.work.messages = self.work.signers as u64 * (self.pairs.len() as u64 - 1) * rounds;
    }

    fn signer(&self, at: usize) -> Signer<'_> {
        self.shares.get(at).map_or(Signer::Key(&self.pairs[at]), Signer::Share)
    }
}

fn key(pair: &Keypair) -> XOnlyPublicKey {
    pair.x_only_public_key().0
}

/// All rounds of all members.
fn generate(keys: &[XOnlyPublicKey], threshold: usize) -> Done<(Group, Vec<KeyShare>)> {
    let begin = |(at, own): (usize, &XOnlyPublicKey)| {
        let entropy = Zeroizing::new([u8::try_from(at % 256).unwrap_or_default(); 32]);
        Round1::begin(keys.to_vec(), threshold, *own, &entropy)
    };
    let begun: Vec<_> = keys.iter().enumerate().map(begin).collect::<Done<_>>()?;
    let (members, broadcasts): (Vec<_>, Vec<_>) = begun.into_iter().unzip();
    let broadcasts: BTreeMap<_, _> = keys.iter().copied().zip(broadcasts).collect();
    let mut inboxes: BTreeMap<XOnlyPublicKey, BTreeMap<_, _>> = BTreeMap::new();
    let mut proceeded = Vec::new();
    for (own, member) in keys.iter().zip(members) {
        let (next, parcels) = member.proceed(&broadcasts)?;
        proceeded.push(next);
        parcels.into_iter().for_each(|(to, parcel)| {
            inboxes.entry(to).or_default().insert(*own, parcel);
        });
    }
    let empty = BTreeMap::new();
    let finish = |(own, member): (&XOnlyPublicKey, treasury::dao::guard::dkg::Round2)| {
        member.finish(inboxes.get(own).unwrap_or(&empty))
    };
    let done: Vec<_> = keys.iter().zip(proceeded).map(finish).collect::<Done<_>>()?;
    let (mut groups, shares): (Vec<_>, Vec<_>) = done.into_iter().unzip();
    let group = groups.pop().ok_or(treasury::dao::guard::GuardError::Group)?;
    Ok((group, shares))
}
